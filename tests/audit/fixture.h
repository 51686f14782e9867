// What the audit tests share: a temporary log with its keys and an auditor, an in-process writer, and
// file surgery. Nothing here sleeps.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "audit/layout.h"
#include "audit/scan.h"
#include "audit/verify.h"
#include "audit/writer.h"

namespace portcullis::audit::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string Slurp(const std::filesystem::path& path);
void Spill(const std::filesystem::path& path, std::string_view content);

Event MakeEvent(Kind kind, uint64_t parent = kNoParent, uint8_t request = 0);
// REQ and DECISION with a prompt; then RESP with an answer.
std::vector<Event> RequestEvents(uint8_t request, const std::string& subject, const std::string& prompt);
Event ResponseEvent(uint8_t request, uint64_t req_seq, const std::string& subject,
                    const std::string& answer);

// Everything in a log that was found good, in order.
class Collector : public ScanVisitor {
 public:
  void OnRecord(const ScannedRecord& record) override {
    leaves.push_back(record.leaf);
    hashes.push_back(record.leaf_hash);
  }
  std::vector<Leaf> leaves;
  std::vector<Hash> hashes;
};

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override;

  std::filesystem::path log() const { return dir_.path() / "audit"; }
  std::filesystem::path keys() const { return dir_.path() / "keys"; }
  std::filesystem::path auditor() const { return dir_.path() / "auditor.key"; }
  std::filesystem::path segment(uint64_t number = 0) const;

  WriterOptions Options() const;
  std::unique_ptr<Writer> StartWriter() const { return StartWriter(Options()); }
  std::unique_ptr<Writer> StartWriter(WriterOptions options) const;
  static Ack Append(Writer& writer, std::vector<Event> events);
  // One whole request; the acknowledgements of both appends.
  static std::vector<Ack> Exchange(Writer& writer, uint8_t request, const std::string& subject,
                                   const std::string& prompt, const std::string& answer);
  // A closed log with `requests` requests.
  void MakeLog(int requests);
  Report Verify(bool decrypt = false) const;
  Collector Read() const;

  TempDir dir_;
};

}  // namespace portcullis::audit::test
