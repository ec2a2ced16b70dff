#include "handlers/linger/linger_target.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <unistd.h>

#include "handlers/linger/linger_call.h"
#include "handlers/linger/route.h"
#include "handlers/sdk/json_text.hpp"

namespace rp::handlers::linger {
namespace {

// Far more than come together: each has a MiB at least.
constexpr std::size_t kLongRequestsMax = 4096;

// Far more than it takes to read the longest body.
constexpr std::chrono::seconds kPatience{10};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

Face::Face(queue::Engine& its_engine, LingerOptions its_options)
    : engine(its_engine),
      options(std::move(its_options)),
      answers(engine.store_id()),
      hostname(host_name()),
      started_at(std::chrono::system_clock::now()),
      up_since(std::chrono::steady_clock::now()),
      gathered(options.gathered_bytes_max),
      long_requests(1, kLongRequestsMax) {}

void Face::add_waiting(const std::shared_ptr<LingerCall>& call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert(call);
  }
  if (!may_wait) call->stop_waiting();
}

void Face::remove_waiting(LingerCall& call) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(call.weak_from_this());
}

void Face::end_waits() {
  may_wait = false;
  std::set<std::weak_ptr<LingerCall>, std::owner_less<>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& held : waiting) {
    if (const auto call = held.lock()) call->stop_waiting();
  }
}

LingerTarget::LingerTarget(queue::Engine& engine, LingerOptions options)
    : face_(std::make_shared<Face>(engine, std::move(options))) {}

LingerTarget::~LingerTarget() = default;

std::shared_ptr<pipe::CallControl> LingerTarget::submit(pipe::Event&& event, std::string&& body,
                                                        const pipe::Origin& /*origin*/,
                                                        std::shared_ptr<pipe::ReplySink>&& sink) {
  auto call =
      std::make_shared<LingerCall>(face_, std::move(event), std::move(body), std::move(sink));
  call->launch();
  return call;
}

void LingerTarget::end_waits() { face_->end_waits(); }

void LingerTarget::close() { face_->long_requests.stop(kPatience); }

bool LingerTarget::has_path(std::string_view path) {
  const auto found = find_route(path, Spelling::encoded);
  const auto* const why_not = std::get_if<NoRoute>(&found);
  return why_not == nullptr || *why_not == NoRoute::bad_name;
}

std::optional<Answer> LingerTarget::refuse(std::string_view path, std::string_view method) const {
  const auto found = find_route(path, Spelling::encoded);
  const auto* const route = std::get_if<Route>(&found);
  if (route == nullptr) {
    const bool unknown = std::get<NoRoute>(found) == NoRoute::unknown;
    return unknown ? face_->answers.not_found()
                   : face_->answers.error({400, "Invalid name in the path."});
  }
  constexpr std::array<std::string_view, 4> kMethods = {"GET", "POST", "PUT", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end()) return std::nullopt;
  return face_->answers.method_not_allowed(route->methods);
}

Answer LingerTarget::welcome() const {
  const Object object{{"Linger", "Welcome"},
                      {"version", kVersion},
                      {"id", face_->engine.store_id()},
                      {"hostname", face_->hostname}};
  return face_->answers.json(200, object.text());
}

}  // namespace rp::handlers::linger
