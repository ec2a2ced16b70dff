#include "handlers/files/files_target.h"

#include <utility>

#include "handlers/files/files_call.h"
#include "handlers/files/served_file.h"
#include "handlers/plugin_set.h"

namespace rp::handlers {

FilesTarget::FilesTarget(FilesOptions options, Threads& threads)
    : options_(std::make_shared<const FilesOptions>(std::move(options))), threads_(threads) {
  const auto wrong = what_is_wrong_with_root(options_->root);
  if (!wrong.empty()) {
    throw PluginRefused("directory of files " + options_->root + " refused: " + wrong);
  }
}

std::shared_ptr<pipe::CallControl> FilesTarget::submit(pipe::Event&& event, std::string&& body,
                                                       const pipe::Origin& origin,
                                                       std::shared_ptr<pipe::ReplySink>&& sink) {
  auto call = std::make_shared<FilesCall>(options_, threads_, std::move(event), std::move(body),
                                          std::move(origin), std::move(sink));
  call->launch();
  return call;
}

}  // namespace rp::handlers
