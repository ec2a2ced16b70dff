#include "pipe/name_lookup.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rp::pipe {
namespace {

namespace asio = boost::asio;

// Name servers that do not answer keep a thread for half a minute each.
constexpr std::size_t kAtOnceMax = 16;

// Whoever waits behind so many will not live to see the answer.
constexpr std::size_t kWaitingMax = 1024;

Result<NameService::Addresses> ask_system(const std::string& host) {
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  error_code ec;
  const auto found = resolver.resolve(host, "", ec);
  if (ec) return ec;
  NameService::Addresses addresses;
  for (const auto& entry : found) {
    const auto address = entry.endpoint().address();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  if (addresses.empty()) return error_code(asio::error::no_data);
  return addresses;
}

}  // namespace

struct NameService::Question {
  std::string host;

  std::mutex mutex;  // guards the two below
  std::optional<Result<Addresses>> answer;
  std::function<void()> tell;  // that there is one; null when nobody waits

  NameLookup* lookup = nullptr;  // touched on the lookup's thread only

  bool is_wanted() {
    const std::lock_guard lock(mutex);
    return tell != nullptr;
  }
  void drop() {
    const std::lock_guard lock(mutex);
    tell = nullptr;
  }
};

struct NameService::State {
  State(Ask its_ask, std::size_t limit) : ask(std::move(its_ask)), at_once_max(limit) {}

  const Ask ask;
  const std::size_t at_once_max;

  std::mutex mutex;  // guards the two below
  std::deque<std::shared_ptr<Question>> waiting;
  std::size_t threads = 0;
};

const std::shared_ptr<NameService>& NameService::of_process() {
  static const auto names = std::make_shared<NameService>(&ask_system, kAtOnceMax);
  return names;
}

NameService::NameService(Ask ask, std::size_t at_once_max)
    : state_(std::make_shared<State>(std::move(ask), at_once_max)) {}

bool NameService::begin(std::shared_ptr<Question> question) {
  const std::lock_guard lock(state_->mutex);
  if (state_->waiting.size() >= kWaitingMax) return false;
  if (state_->threads < state_->at_once_max) {
    try {
      std::thread([state = state_] { work(state); }).detach();
      ++state_->threads;
    } catch (const std::system_error&) {
      if (state_->threads == 0) return false;  // otherwise one of the others will get to it
    }
  }
  state_->waiting.push_back(std::move(question));
  return true;
}

void NameService::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->waiting.empty()) {
    const auto question = std::move(state->waiting.front());
    state->waiting.pop_front();
    lock.unlock();
    if (question->is_wanted()) {
      auto answer = state->ask(question->host);
      const std::lock_guard question_lock(question->mutex);
      question->answer = std::move(answer);
      if (question->tell) question->tell();
    }
    lock.lock();
  }
  --state->threads;
}

NameLookup::NameLookup(asio::any_io_executor executor, std::shared_ptr<NameService> names)
    : executor_(std::move(executor)), names_(std::move(names)), wait_(executor_) {}

NameLookup::~NameLookup() {
  if (!question_) return;
  question_->lookup = nullptr;
  question_->drop();
}

asio::awaitable<Result<NameService::Addresses>> NameLookup::run(std::string host,
                                                                std::chrono::milliseconds time) {
  error_code ec;
  const auto written = asio::ip::make_address(host, ec);
  if (!ec) co_return NameService::Addresses{written};
  if (cancelled_) co_return error_code(asio::error::operation_aborted);
  question_ = std::make_shared<NameService::Question>();
  question_->host = std::move(host);
  question_->lookup = this;
  question_->tell = [executor = executor_, weak = std::weak_ptr(question_)] {
    asio::post(executor, [weak] {
      const auto question = weak.lock();
      if (question && question->lookup != nullptr) question->lookup->wait_.cancel();
    });
  };
  if (!names_->begin(question_)) co_return error_code(asio::error::no_buffer_space);
  wait_.expires_after(time);
  co_await wait_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  question_->lookup = nullptr;
  const std::lock_guard lock(question_->mutex);
  question_->tell = nullptr;
  if (question_->answer) co_return std::move(*question_->answer);
  co_return error_code(cancelled_ ? asio::error::operation_aborted : asio::error::timed_out);
}

void NameLookup::cancel() {
  cancelled_ = true;
  wait_.cancel();
}

}  // namespace rp::pipe
