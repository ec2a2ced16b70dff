/* A plugin as one was built against version 1.0 of the contract: it includes nothing of this tree,
 * so that a change of plugin.h which breaks such plugins breaks a test. The structs are those of
 * 1.0, byte for byte, without the functions' parameters that it does not use. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  const char* data;
  size_t size;
} text_1_0;

typedef struct {
  text_1_0 name;
  text_1_0 value;
} header_1_0;

typedef struct {
  size_t size;
  text_1_0 method;
  text_1_0 verb;
  text_1_0 noun;
  const text_1_0* args;
  size_t args_count;
  text_1_0 query;
  const header_1_0* headers;
  size_t headers_count;
  text_1_0 content_type;
  text_1_0 body;
  text_1_0 origin_node;
  text_1_0 origin_address;
  uint16_t origin_port;
  text_1_0 request_id;
} invocation_1_0;

typedef struct {
  size_t size;
  int64_t code;
  text_1_0 content_type;
  const header_1_0* headers;
  size_t headers_count;
  uint32_t body_is_json;
} reply_head_1_0;

typedef void (*invoke_1_0)(void* self, void* method_data, void* call, const invocation_1_0* asked);

typedef struct {
  size_t size;
  text_1_0 verb;
  text_1_0 noun;
  uint32_t flags;
  invoke_1_0 invoke;
  void* method_data;
} method_1_0;

typedef struct host_1_0 {
  size_t size;
  uint32_t abi_version;
  uint32_t role;
  text_1_0 node_name;
  int32_t (*register_method)(const struct host_1_0* host, const method_1_0* method);
  void (*set_error)(const struct host_1_0* host, text_1_0 reason);
  void (*log)(const struct host_1_0* host, uint32_t level, text_1_0 message);
  void (*retain)(void* call);
  void (*release)(void* call);
  int64_t (*time_left_ms)(void* call);
  int32_t (*is_cancelled)(void* call);
  void (*on_cancel)(void* call, void (*callback)(void* user), void* user);
  int32_t (*reply)(void* call, const reply_head_1_0* head, text_1_0 body);
  int32_t (*raise)(void* call, const void* exception);
  int32_t (*begin)(void* call, const reply_head_1_0* head);
  int32_t (*write)(void* call, text_1_0 piece, int64_t wait_ms);
  void (*on_writable)(void* call, void (*callback)(void* user), void* user);
  int32_t (*end)(void* call);
} host_1_0;

typedef struct {
  size_t size;
  const char* name;
  const char* version;
  void* self;
  void (*shutdown)(void* self);
  void (*start_hook)(void* self, const void* peer);
  void (*stop_hook)(void* self, const void* peer);
  void (*idle)(void* self, double waiting_since_s, double seconds);
  void (*connection_added)(void* self, const void* peer, uint64_t new_count);
  void (*connection_removed)(void* self, const void* peer, uint64_t new_count);
  void (*connect_success)(void* self, uint64_t retry_attempts, double last_disconnected_s);
  void (*connect_fail)(void* self, uint64_t retry_attempts, double last_disconnected_s);
} plugin_1_0;

enum { kOk = 0, kInvalid = 4, kStreaming = 4 };

static const host_1_0* host;

static text_1_0 text(const char* data) {
  text_1_0 made = {data, strlen(data)};
  return made;
}

static reply_head_1_0 plain(void) {
  reply_head_1_0 head;
  memset(&head, 0, sizeof head);
  head.size = sizeof head;
  head.content_type = text("text/plain");
  return head;
}

/* The last of the fields that 1.0 knew, after all that could have moved it. */
static void get_request_id(void* self, void* data, void* call, const invocation_1_0* asked) {
  const reply_head_1_0 head = plain();
  (void)self;
  (void)data;
  host->reply(call, &head, asked->size >= sizeof *asked ? asked->request_id : text("too small"));
  host->release(call);
}

static void put_whole(void* self, void* data, void* call, const invocation_1_0* asked) {
  const reply_head_1_0 head = plain();
  (void)self;
  (void)data;
  host->reply(call, &head, asked->body);
  host->release(call);
}

static void get_stream(void* self, void* data, void* call, const invocation_1_0* asked) {
  const reply_head_1_0 head = plain();
  size_t i;
  (void)self;
  (void)data;
  host->begin(call, &head);
  for (i = 0; i < asked->args_count; ++i) host->write(call, asked->args[i], 0);
  host->end(call);
  host->release(call);
}

static int32_t add(const char* verb, const char* noun, uint32_t flags, invoke_1_0 invoke) {
  method_1_0 method;
  memset(&method, 0, sizeof method);
  method.size = sizeof method;
  method.verb = text(verb);
  method.noun = text(noun);
  method.flags = flags;
  method.invoke = invoke;
  return host->register_method(host, &method);
}

__attribute__((visibility("default"))) extern const uint32_t restpipe_plugin_abi;
const uint32_t restpipe_plugin_abi = 1;

__attribute__((visibility("default"))) int32_t restpipe_plugin_init(const host_1_0* its_host,
                                                                    plugin_1_0* plugin) {
  if (its_host->size < sizeof *its_host || plugin->size < sizeof *plugin) return kInvalid;
  host = its_host;
  plugin->name = "one";
  plugin->version = "1.0";
  if (add("get", "request_id", 0, get_request_id) != kOk) return kInvalid;
  if (add("put", "whole", 0, put_whole) != kOk) return kInvalid;
  return add("get", "stream", kStreaming, get_stream);
}
