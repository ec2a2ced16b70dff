/* A plugin in plain C that breaks the contract where it can: shows that the host holds. It is also
 * the proof that plugin.h is C11. */
#include <restpipe/plugin.h>
#include <stdlib.h>
#include <string.h>

const uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION;

static const restpipe_host* host;
static int inits;

static restpipe_text text(const char* s) {
  restpipe_text t = {s, strlen(s)};
  return t;
}

static restpipe_reply_head head(int64_t code, const char* type) {
  restpipe_reply_head h;
  memset(&h, 0, sizeof(h));
  h.size = sizeof(h);
  h.code = code;
  h.content_type = text(type);
  return h;
}

static restpipe_status reply(restpipe_call* call, const char* body) {
  const restpipe_reply_head h = head(0, "text/plain");
  return host->reply(call, &h, text(body));
}

static void drop(void* self, void* data, restpipe_call* call, const restpipe_invocation* asked) {
  (void)self, (void)data, (void)asked;
  host->release(call);
}

/* The second answer is refused with a status, which the first cannot tell; so it is kept. */
static restpipe_status second_status = -1;

static void twice(void* self, void* data, restpipe_call* call, const restpipe_invocation* asked) {
  (void)self, (void)data, (void)asked;
  reply(call, "first");
  second_status = reply(call, "second");
  host->end(call);
  host->write(call, text("late"), 0);
  host->release(call);
}

static void second(void* self, void* data, restpipe_call* call, const restpipe_invocation* asked) {
  (void)self, (void)data, (void)asked;
  reply(call, second_status == RESTPIPE_ANSWERED ? "answered" : "something else");
  host->release(call);
}

static void headless(void* self, void* data, restpipe_call* call,
                     const restpipe_invocation* asked) {
  (void)self, (void)data, (void)asked;
  host->reply(call, NULL, text("x"));
  host->release(call);
}

static void small_head(void* self, void* data, restpipe_call* call,
                       const restpipe_invocation* asked) {
  restpipe_reply_head h = head(0, "text/plain");
  (void)self, (void)data, (void)asked;
  h.size = 8;
  host->reply(call, &h, text("x"));
  host->release(call);
}

static void negative(void* self, void* data, restpipe_call* call,
                     const restpipe_invocation* asked) {
  const restpipe_reply_head h = head(-1, "text/plain");
  (void)self, (void)data, (void)asked;
  host->reply(call, &h, text("x"));
  host->release(call);
}

static void split(void* self, void* data, restpipe_call* call, const restpipe_invocation* asked) {
  const restpipe_reply_head h = head(0, "text/plain\r\nx-evil: 1");
  (void)self, (void)data, (void)asked;
  host->reply(call, &h, text("x"));
  host->release(call);
}

static void bare_raise(void* self, void* data, restpipe_call* call,
                       const restpipe_invocation* asked) {
  restpipe_exception e;
  (void)self, (void)data, (void)asked;
  memset(&e, 0, sizeof(e));
  e.size = sizeof(e);
  host->raise(call, &e);
  host->release(call);
}

static void no_stream(void* self, void* data, restpipe_call* call,
                      const restpipe_invocation* asked) {
  const restpipe_reply_head h = head(0, "text/plain");
  (void)self, (void)data, (void)asked;
  host->begin(call, &h);
  host->release(call);
}

static void late_registration(void* self, void* data, restpipe_call* call,
                              const restpipe_invocation* asked) {
  restpipe_method m;
  (void)self, (void)data;
  memset(&m, 0, sizeof(m));
  m.size = sizeof(m);
  m.verb = asked->verb;
  m.noun = text("late");
  m.invoke = &drop;
  reply(call, host->register_method(host, &m) == RESTPIPE_INVALID ? "refused" : "taken");
  host->release(call);
}

/* What the caller sees of the arguments and headers, through nothing but the struct. */
static void args(void* self, void* data, restpipe_call* call, const restpipe_invocation* asked) {
  char line[256] = "";
  size_t i;
  (void)self, (void)data;
  for (i = 0; i < asked->args_count; ++i) {
    strncat(line, asked->args[i].data, asked->args[i].size);
    strcat(line, ";");
  }
  for (i = 0; i < asked->headers_count; ++i) {
    strncat(line, asked->headers[i].name.data, asked->headers[i].name.size);
    strcat(line, "=");
    strncat(line, asked->headers[i].value.data, asked->headers[i].value.size);
    strcat(line, ";");
  }
  reply(call, line);
  host->release(call);
}

static void add(const char* noun, restpipe_invoke_fn invoke) {
  restpipe_method m;
  memset(&m, 0, sizeof(m));
  m.size = sizeof(m);
  m.verb = text("get");
  m.noun = text(noun);
  m.invoke = invoke;
  if (host->register_method(host, &m) != RESTPIPE_OK) abort();
}

restpipe_status restpipe_plugin_init(const restpipe_host* h, restpipe_plugin* plugin) {
  restpipe_method bad;
  host = h;
  ++inits;
  memset(&bad, 0, sizeof(bad));
  bad.size = sizeof(bad);
  bad.verb = text("fetch");
  bad.noun = text("x");
  bad.invoke = &drop;
  if (h->register_method(h, &bad) != RESTPIPE_INVALID) abort();
  if (h->register_method(h, NULL) != RESTPIPE_INVALID) abort();
  add("drop", &drop);
  add("twice", &twice);
  add("second", &second);
  add("headless", &headless);
  add("small_head", &small_head);
  add("negative", &negative);
  add("split", &split);
  add("bare_raise", &bare_raise);
  add("no_stream", &no_stream);
  add("late_registration", &late_registration);
  add("args", &args);
  plugin->name = "hostile";
  plugin->version = "0";
  return RESTPIPE_OK;
}
