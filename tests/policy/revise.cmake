# Tests of revisions and of the shipped policy sets.
portcullis_test(policy_revise_test
  SOURCES revise_damage_test.cc revise_store_test.cc revise_support.cc
  LIBS portcullis_revise PkgConfig::SQLITE PkgConfig::SODIUM)
