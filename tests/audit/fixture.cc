#include "tests/audit/fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace portcullis::audit::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "portcullis-audit-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

void Spill(const std::filesystem::path& path, std::string_view content) {
  // Written over in place: ext4 waits for the disk when a file that was cut to nothing is closed.
  if (!std::filesystem::exists(path)) std::ofstream(path).close();
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  std::filesystem::resize_file(path, content.size());
}

Event MakeEvent(Kind kind, uint64_t parent, uint8_t request) {
  Event event;
  event.kind = kind;
  event.parent_seq = parent;
  event.request_id.fill(request);
  return event;
}

std::vector<Event> RequestEvents(uint8_t request, const std::string& subject, const std::string& prompt) {
  std::vector<Event> events = {MakeEvent(Kind::kReq, kNoParent, request),
                               MakeEvent(Kind::kDecision, kParentFirst, request)};
  for (Event& event : events) {
    event.subject = subject;
    event.tenant = "tenant";
  }
  events[0].tags = {"model:nano", "department:legal"};
  events[0].parts = {{PartType::kMetadata, "{\"route\":\"/v1/chat/completions\"}"},
                     {PartType::kPrompt, prompt}};
  events[1].outcome = 1;
  events[1].parts = {{PartType::kDecision, "{\"decision\":\"allow\"}"}};
  return events;
}

Event ResponseEvent(uint8_t request, uint64_t req_seq, const std::string& subject,
                    const std::string& answer) {
  Event event = MakeEvent(Kind::kResp, req_seq, request);
  event.subject = subject;
  event.tenant = "tenant";
  event.outcome = 200;
  event.parts = {{PartType::kAnswer, answer}};
  return event;
}

void LogTest::SetUp() {
  ASSERT_TRUE(MakeAuditorKey(auditor()));
  const auto made = InitLog({log(), keys(), "test.example/audit", auditor().string() + ".pub"});
  ASSERT_TRUE(made) << made.error().message;
}

std::filesystem::path LogTest::segment(uint64_t number) const {
  return log() / "segments" / SegmentName(number);
}

WriterOptions LogTest::Options() const {
  WriterOptions options;
  options.log_folder = log();
  options.keys_folder = keys();
  options.min_free_bytes = 0;
  options.min_free_percent = 0;
  options.max_wait = std::chrono::seconds(60);
  return options;
}

std::unique_ptr<Writer> LogTest::StartWriter(WriterOptions options) const {
  auto writer = Writer::Start(std::move(options));
  EXPECT_TRUE(writer) << writer.error().message;
  return writer ? std::move(writer.value()) : nullptr;
}

Ack LogTest::Append(Writer& writer, std::vector<Event> events) {
  std::promise<Ack> done;
  writer.Submit(audit::Append{7, std::move(events)}, [&done](Ack ack) { done.set_value(std::move(ack)); });
  return done.get_future().get();
}

std::vector<Ack> LogTest::Exchange(Writer& writer, uint8_t request, const std::string& subject,
                                   const std::string& prompt, const std::string& answer) {
  const Ack begun = Append(writer, RequestEvents(request, subject, prompt));
  EXPECT_TRUE(begun.durable) << begun.error;
  if (!begun.durable) return {begun};
  const Ack ended = Append(writer, {ResponseEvent(request, begun.seqs[0], subject, answer)});
  EXPECT_TRUE(ended.durable) << ended.error;
  return {begun, ended};
}

void LogTest::MakeLog(int requests) {
  const auto writer = StartWriter();
  for (int i = 0; i < requests; ++i) {
    Exchange(*writer, static_cast<uint8_t>(i), "alice", "prompt " + std::to_string(i), "answer");
  }
  const auto stopped = writer->Stop();
  ASSERT_TRUE(stopped) << stopped.error().message;
}

Report LogTest::Verify(bool decrypt) const {
  VerifyOptions options;
  options.log_folder = log();
  if (!decrypt) return VerifyLog(options);
  auto secret = ReadAuditorSecret(auditor());
  auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
  EXPECT_TRUE(secret && store);
  options.auditor_secrets = {&secret.value()};
  options.keys = store.value().get();
  return VerifyLog(options);
}

Collector LogTest::Read() const {
  Collector collector;
  ScanLog(log(), ReadLogKey(log()).value(), {}, &collector);
  return collector;
}

}  // namespace portcullis::audit::test
