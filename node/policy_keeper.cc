#include "node/policy_keeper.h"

#include <cerrno>
#include <sys/stat.h>
#include <utility>

#include "pipe/log.h"

namespace rp::node {

RefusalLog::Verdict RefusalLog::refused(const std::string& caller, pipe::Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    lines_.clear();
    lines_in_all_ = 0;
  }
  const auto of_caller = lines_.find(caller);
  const bool caller_full = of_caller != lines_.end() && of_caller->second >= kLinesPerCallerMax;
  if (caller_full || lines_in_all_ >= kLinesMax) {
    ++left_out_;
    return {};
  }
  ++lines_in_all_;
  ++lines_[caller];
  return {.log = true, .left_out = std::exchange(left_out_, 0)};
}

PolicyKeeper::Stamp PolicyKeeper::Stamp::of(const std::filesystem::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) {
    Stamp missing;
    missing.error = errno;
    return missing;
  }
  const auto ns = [](const timespec& t) {
    return std::int64_t{t.tv_sec} * 1'000'000'000 + std::int64_t{t.tv_nsec};
  };
  return {.modified_ns = ns(found.st_mtim),
          .changed_ns = ns(found.st_ctim),
          .bytes = static_cast<std::uint64_t>(found.st_size),
          .inode = found.st_ino};
}

PolicyKeeper::PolicyKeeper(const Config& config, Registry& metrics)
    : file_(config.policy),
      role_(config.role),
      stamp_(Stamp::of(file_)),
      policy_(
          std::make_shared<const Policy>(file_.empty() ? Policy::built_in() : Policy::load(file_))),
      refusals_(metrics.counter("restpipe_policy_refusals_total",
                                "Events from pipes that the policy refused.")) {}

std::shared_ptr<const Policy> PolicyKeeper::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

bool PolicyKeeper::allows(const std::string& from, const std::string& to,
                          const pipe::Event& event) {
  // What needs no rules is the path of every call on most nodes.
  if (is_built_in() && (role_ == Role::client || to.empty())) return true;
  const auto policy = this->policy();
  const PolicyQuestion question{from, to, event.verb, event.noun};
  const Policy::Decision decision = policy->decide(question);
  if (!decision.allowed) refused(*policy, decision, question, event.request_id);
  return decision.allowed;
}

void PolicyKeeper::refused(const Policy& policy, const Policy::Decision& decision,
                           const PolicyQuestion& question, const std::string& request_id) {
  refusals_.add();
  const std::string caller(question.from);
  const auto verdict = log_.refused(caller, pipe::Clock::now());
  if (!verdict.log) return;
  // Arguments may be payload and stay out of the log.
  log(LogLevel::warning, "policy", "A call was refused",
      {{"from", caller},
       {"to", question.to.empty() ? kServerTarget : question.to},
       {"verb", question.verb},
       {"noun", noun_without_arguments(question.noun)},
       {"rule", policy.place(decision)},
       {"request_id", request_id},
       {"not_logged_before", verdict.left_out}});
}

void PolicyKeeper::refresh() {
  if (file_.empty()) return;
  const Stamp stamp = Stamp::of(file_);
  if (stamp == stamp_) return;
  stamp_ = stamp;
  try {
    auto fresh = std::make_shared<const Policy>(Policy::load(file_));
    log(LogLevel::info, "policy", "A changed policy is in use",
        {{"file", file_.string()}, {"rules", fresh->size()}});
    const std::lock_guard lock(mutex_);
    policy_ = std::move(fresh);
  } catch (const ConfigError& e) {
    log(LogLevel::error, "policy", "The changed policy is not usable; the last one stays",
        {{"reason", e.what()}});
  }
}

pipe::Failure PolicyKeeper::refusal() {
  return {pipe::Errc::forbidden, "refused by policy; the handler has not run"};
}

}  // namespace rp::node
