// The rotation of the key store: one bucket after another, appends in between; cut off anywhere, nothing is lost
// and it goes on; when it is over, what an old copy knows opens nothing.

#include <gtest/gtest.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "tests/audit/cases.h"
#include "tests/audit/faulty_ops.h"

namespace portcullis::audit::test {
namespace {

class RotateTest : public CasesTest {
 protected:
  static constexpr size_t kKeys = 600;

  std::unique_ptr<KeyStore> Store() const {
    auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(store.value()) : nullptr;
  }
  void SetUp() override {
    CasesTest::SetUp();
    const auto store = Store();
    for (size_t i = 0; i < kKeys; ++i) {
      SubjectKeyId id{{}, 0, 2000};
      randombytes_buf(id.subject.data(), id.subject.size());
      if (i < 256) id.subject[0] = static_cast<uint8_t>(i);  // every bucket
      auto key = store->SubjectKeyOrCreate(id);
      ASSERT_TRUE(key);
      known_[id] = std::vector<uint8_t>(key.value().wrap().begin(), key.value().wrap().end());
    }
    ASSERT_TRUE(store->Commit());
  }
  // Beside a writer; one that is just between two salts is asked again.
  bool Rotating() const {
    for (;;) {
      const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
      const auto rotating = store ? store.value()->Rotating() : Result<bool>(store.error());
      if (rotating) return rotating.value();
    }
  }
  static void Begin(KeyStore& store) {
    ASSERT_TRUE(store.NoteRotation());
    ASSERT_TRUE(store.Rekey());
  }
  void ExpectAllKeys(KeyStore& store) const {
    for (const auto& [id, wrap] : known_) {
      auto key = store.KeyOf(id);
      ASSERT_TRUE(key) << key.error().message;
      ASSERT_TRUE(std::ranges::equal(key.value().wrap(), wrap));
    }
  }
  // What lies in a table, by id.
  std::map<std::string, std::string> Sealed(const std::string& table) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
    std::map<std::string, std::string> rows;
    const auto take = [](void* out, int, char** values, char**) {
      (*static_cast<std::map<std::string, std::string>*>(out))[values[0]] = values[1];
      return 0;
    };
    const std::string sql = "SELECT hex(id), hex(sealed) FROM " + table;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), take, &rows, nullptr), SQLITE_OK);
    sqlite3_close(db);
    return rows;
  }

  std::map<SubjectKeyId, std::vector<uint8_t>> known_;
};

TEST_F(RotateTest, CutOffBehindEveryBucketItGoesOn) {
  const uint64_t generation = Store()->generation();
  const auto keys_before = Sealed("subject_key"), buckets_before = Sealed("bucket");
  const std::string old_salt = Slurp(keys() / "store.salt");
  Begin(*Store());
  int buckets = 0;
  auto store = Store();
  for (bool more = true; more; ++buckets) {
    if (buckets % 16 < 2) store = Store();  // anew: as after a crash
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->Rotating().value());
    if (buckets % 32 == 0) ExpectAllKeys(*store);
    const auto next = store->RotateNext();
    ASSERT_TRUE(next) << next.error().message;
    more = next.value();
  }
  EXPECT_EQ(buckets, 256 + 1);
  store = Store();
  EXPECT_FALSE(store->Rotating().value());
  EXPECT_EQ(store->generation(), generation + 1);
  ExpectAllKeys(*store);
  for (const auto& [table, before] : {std::pair("subject_key", keys_before), std::pair("bucket", buckets_before)}) {
    const auto after = Sealed(table);
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [id, sealed] : before) EXPECT_NE(after.at(id), sealed) << table << " " << id;
  }
  Spill(keys() / "store.salt", old_salt);
  EXPECT_EQ(OpenKeyStore(keys(), KeyStore::Mode::kReadWrite).error().code, Code::kTampered);
}

TEST_F(RotateTest, KilledAtAnyMomentNothingIsLost) {
  int cut_off = 0, kills = 0;
  uint64_t generation = Store()->generation();
  for (useconds_t pause = 200; cut_off < 20 && kills < 400; pause += 700, ++kills) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
      if (!store) ::_exit(1);
      for (;;) {  // a whole rotation, and the next one
        KeyStore& keys = *store.value();
        if (!keys.Rotating().value() && (!keys.NoteRotation() || !keys.Commit() || !keys.Rekey())) ::_exit(2);
        const auto more = store.value()->RotateNext();
        if (!more) ::_exit(3);
      }
    }
    ::usleep(pause % 50'000);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    const auto store = Store();
    ASSERT_TRUE(store);
    ASSERT_GE(store->generation(), generation);
    generation = store->generation();
    cut_off += store->Rotating().value() ? 1 : 0;
    ExpectAllKeys(*store);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(cut_off, 20);
}

TEST_F(RotateTest, TheWriterServesAppendsInBetweenAndAStartGoesOn) {
  {
    const auto writer = StartWriter();
    std::promise<ActReply> first;
    writer->SubmitAct({1, "rotate", {}}, 0, [&](ActReply reply) { first.set_value(std::move(reply)); });
    ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
    auto replied = first.get_future();
    // One after the other: what is asked for meanwhile is refused, or the first was over by then.
    const auto second = Act(*writer, "rotate", {});
    if (!second) {
      EXPECT_EQ(second.error().code, Code::kOverloaded) << second.error().message;
    }
    int appends = 0;
    while (replied.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      ASSERT_TRUE(Append(*writer, RequestEvents(static_cast<uint8_t>(++appends), "alice", "p")).durable);
    }
    const ActReply reply = replied.get();
    EXPECT_EQ(reply.error_code, 0u) << reply.error;
    EXPECT_GT(appends, 10);  // a rotation takes 256 turns
    EXPECT_FALSE(Rotating());
  }
  // As after a crash, in the middle of the next one: until one is not over before the writer is gone.
  bool cut_off = false;
  for (int i = 0; i < 100 && !cut_off; ++i) {
    {
      const auto writer = StartWriter();
      writer->SubmitAct({1, "rotate", {}}, 0, [](const ActReply&) {});
      for (int j = 0; j < 2; ++j) ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
    }
    cut_off = Rotating();
  }
  {
    const auto writer = StartWriter();
    while (Rotating()) std::this_thread::yield();
    ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_TRUE(cut_off);
  ExpectAllKeys(*Store());
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

// Killed between the record and the new salt, or just before the record: what is noted is told and done.
TEST_F(RotateTest, ARotationThatIsNotedIsBegunByTheNextStart) {
  const auto before = Sealed("subject_key");
  uint64_t generation = 0;
  {
    const auto store = Store();
    generation = store->generation();
    ASSERT_TRUE(store->NoteRotation());
    ASSERT_TRUE(store->Commit());
  }
  const auto writer = StartWriter();
  ASSERT_NE(writer, nullptr);
  while (Rotating()) std::this_thread::yield();
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Store()->generation(), generation + 1);
  EXPECT_EQ(Count(Kind::kConfig, 0), 1u);
  const auto after = Sealed("subject_key");
  for (const auto& [id, sealed] : before) EXPECT_NE(after.at(id), sealed) << id;
  ExpectAllKeys(*Store());
}

TEST_F(RotateTest, ARotationThatCouldNotBeRecordedIsNotBegun) {
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  const uint64_t generation = Store()->generation();
  const auto writer = StartWriter(std::move(options));
  ops.full = true;
  const auto refused = Act(*writer, "rotate", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDiskLow) << refused.error().message;
  ops.full = false;
  EXPECT_FALSE(Rotating());
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Store()->generation(), generation);
}

// Who has the old K_store is shut out, of all that an old copy of the key store could open too, once a start was there.
TEST_F(RotateTest, AnotherStoreKeyIsInForceAndRecordedByTheNextStart) {
  const std::string old_key = Slurp(keys() / "store.key"), old_salt = Slurp(keys() / "store.salt");
  const auto subjects = Sealed("subject_key"), buckets = Sealed("bucket");
  const uint64_t generation = Store()->generation();
  const auto fresh = dir_.path() / "fresh.key";
  const auto changed = ChangeStoreKey(keys(), fresh);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_TRUE(changed.value());
  EXPECT_FALSE(std::filesystem::exists(fresh));
  const std::string new_key = Slurp(keys() / "store.key"), new_salt = Slurp(keys() / "store.salt");
  EXPECT_NE(new_key, old_key);
  EXPECT_EQ(Store()->generation(), generation + 1);
  for (const std::string& salt : {old_salt, new_salt}) {
    Spill(keys() / "store.key", old_key);
    Spill(keys() / "store.salt", salt);
    EXPECT_EQ(OpenKeyStore(keys(), KeyStore::Mode::kReadWrite).error().code, Code::kTampered);
  }
  // As where the call was cut off before the key was put in its place: it is finished with the same file.
  Spill(fresh, new_key);
  std::filesystem::permissions(fresh, std::filesystem::perms(0600));
  ASSERT_TRUE(ChangeStoreKey(keys(), fresh));
  EXPECT_EQ(Slurp(keys() / "store.key"), new_key);
  EXPECT_EQ(Store()->generation(), generation + 1);
  ExpectAllKeys(*Store());
  const auto writer = StartWriter();
  ASSERT_NE(writer, nullptr);
  while (Rotating()) std::this_thread::yield();
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Count(Kind::kConfig, 0), 1u);
  ExpectAllKeys(*Store());
  for (const auto& [table, before] : {std::pair("subject_key", subjects), std::pair("bucket", buckets)}) {
    const auto after = Sealed(table);
    for (const auto& [id, sealed] : before) EXPECT_NE(after.at(id), sealed) << table << " " << id;
  }
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

// The old key is overwritten: under whatever name it is given for the new one, it would be lost with all that it opens.
TEST_F(RotateTest, TheStoreKeyInForceIsNoNewOne) {
  const std::string key = Slurp(keys() / "store.key");
  const auto hard = dir_.path() / "hard.key", soft = dir_.path() / "soft.key";
  std::filesystem::create_hard_link(keys() / "store.key", hard);
  std::filesystem::create_symlink(keys() / "store.key", soft);
  for (const auto& same : {keys() / "store.key", keys() / ".." / "keys" / "store.key", hard, soft}) {
    const auto refused = ChangeStoreKey(keys(), same);
    ASSERT_FALSE(refused) << same;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument) << refused.error().message;
    ASSERT_EQ(Slurp(keys() / "store.key"), key) << same;
  }
  ExpectAllKeys(*Store());
  if (!OnOneDisk("/dev/shm", keys())) {
    EXPECT_EQ(ChangeStoreKey(keys(), "/dev/shm/portcullis-rotate-test.key").error().code, Code::kInvalidArgument);
    EXPECT_FALSE(std::filesystem::exists("/dev/shm/portcullis-rotate-test.key"));
  }
}

TEST_F(RotateTest, AStoreKeyThatOpensNothingChangesNothing) {
  const std::string key = Slurp(keys() / "store.key");
  Spill(keys() / "store.key", Slurp(keys() / "log.key"));
  const auto fresh = dir_.path() / "fresh.key";
  EXPECT_FALSE(ChangeStoreKey(keys(), fresh));
  EXPECT_FALSE(std::filesystem::exists(fresh));  // nobody is to take it for the one in force
  Spill(keys() / "store.key", key);
  ExpectAllKeys(*Store());
  EXPECT_FALSE(Store()->Rotating().value());
}

TEST_F(RotateTest, AnErasureInTheMiddleOfARotationDestroysItsKey) {
  const auto store = Store();
  Begin(*store);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store->RotateNext().value());
  std::vector<SubjectKeyId> gone;
  for (const auto& [id, wrap] : known_) {
    if (id.subject[0] == 7 || id.subject[0] == 200) gone.push_back(id);  // behind it and before it
  }
  for (const SubjectKeyId& id : gone) {
    ASSERT_TRUE(store->DestroyKey(id, 1));
    known_.erase(id);
  }
  ASSERT_TRUE(store->Rekey());
  ExpectAllKeys(*store);
  while (store->RotateNext().value()) continue;
  ExpectAllKeys(*store);
  for (const SubjectKeyId& id : gone) EXPECT_EQ(store->KeyOf(id).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace portcullis::audit::test
