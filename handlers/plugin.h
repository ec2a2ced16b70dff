/* The contract between a RestPipe node and a plugin: a shared library that answers events.
 *
 * Plain C, so any language that can make a shared library can make a plugin; C++ authors use
 * sdk/restpipe.hpp, which wraps all of this. docs/plugins.md tells the same story at length.
 *
 * Rules that hold throughout
 *  - Nothing throws or longjmps across a function of this file, in either direction.
 *  - Text is bytes with a length, never NUL-terminated. A null `data` with size 0 is empty text.
 *  - Text handed to a function is copied before it returns, unless its comment says otherwise.
 *  - A struct begins with `size`, the number of bytes its maker knew of. A reader looks at no field
 *    beyond that size, so fields can be added at the end without a new ABI version.
 *  - Every function of the host may be called from any thread.
 */
#ifndef RESTPIPE_PLUGIN_H
#define RESTPIPE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes only when an existing field or meaning changes; a node refuses any other number. */
#define RESTPIPE_ABI_VERSION 1u

#if defined(__GNUC__)
#define RESTPIPE_EXPORT __attribute__((visibility("default")))
#else
#define RESTPIPE_EXPORT
#endif

typedef struct restpipe_text {
  const char* data;
  size_t size;
} restpipe_text;

typedef struct restpipe_header {
  restpipe_text name; /* lower-case */
  restpipe_text value;
} restpipe_header;

/* Which node the plugin runs in. */
enum { RESTPIPE_ROLE_SERVER = 1, RESTPIPE_ROLE_CLIENT = 2 };

enum {
  RESTPIPE_LOG_DEBUG = 0,
  RESTPIPE_LOG_INFO = 1,
  RESTPIPE_LOG_WARNING = 2,
  RESTPIPE_LOG_ERROR = 3
};

/* What a method promises or needs. */
enum {
  RESTPIPE_IDEMPOTENT = 1, /* running it twice does no harm: the node may repeat it */
  RESTPIPE_BLOCKING = 2,   /* may wait or compute for long: runs on the worker pool, not inline */
  RESTPIPE_STREAMING = 4,  /* may answer with begin(), write() and end() */
  RESTPIPE_BODY_STREAM = 8 /* begins at once and takes the body with read(), as it comes; others
                              begin when the whole body is there. Since 1.1, see
                              RESTPIPE_HOST_HAS() */
};

typedef int32_t restpipe_status;
enum {
  RESTPIPE_OK = 0,
  RESTPIPE_ANSWERED = 1,    /* the call has its answer already; nothing was done */
  RESTPIPE_GONE = 2,        /* cancelled, or its time ran out; nothing was done */
  RESTPIPE_WOULD_BLOCK = 3, /* the caller has not yet taken what was written before */
  RESTPIPE_INVALID = 4,     /* an argument or the order of calls breaks a rule; nothing was done */
  RESTPIPE_BODY_END = 5,    /* the request's body has been read to its end */
  RESTPIPE_BODY_BROKEN = 6  /* its end will never come: the call is gone */
};

/* One event that waits for its answer. Made by the host, counted: invoke() receives one reference,
 * retain() adds one, release() gives one back. When the last one goes without an answer, the host
 * answers with an exception object. */
typedef struct restpipe_call restpipe_call;

/* What is asked. The struct and all that it points at stay valid until the last reference to the
 * call is released. */
typedef struct restpipe_invocation {
  size_t size;
  restpipe_text method;      /* the method's name as registered: "get_time_utc" */
  restpipe_text verb;        /* "get" */
  restpipe_text noun;        /* as the caller wrote it, before the first "//": "time/utc" */
  const restpipe_text* args; /* between the first "//" and the second, split on "/" */
  size_t args_count;
  restpipe_text query; /* raw, without '?' */
  const restpipe_header* headers;
  size_t headers_count;
  restpipe_text content_type;   /* up to the first ';'. Exactly "application/json" with a body that
                                   is not empty: the body has been found to be JSON, depth <= 64 */
  restpipe_text body;           /* whole; empty in a method with RESTPIPE_BODY_STREAM */
  restpipe_text origin_node;    /* identity from the caller's certificate; empty: this node */
  restpipe_text origin_address; /* textual IP address, or "unix" */
  uint16_t origin_port;
  restpipe_text request_id; /* the id under which the logs of both nodes know this event */
  /* Since 1.1. */
  int64_t body_bytes;    /* the body's length; -1 when it follows in pieces and nobody said */
  uint32_t body_follows; /* 1: the caller sent it in pieces */
} restpipe_invocation;

/* The head of an answer. */
typedef struct restpipe_reply_head {
  size_t size;
  int64_t code;               /* 0 is success; outside 0..4294967295 the caller gets an exception */
  restpipe_text content_type; /* empty: application/json */
  const restpipe_header* headers;
  size_t headers_count;
  uint32_t body_is_json; /* 1: the body is the JSON text of a value, and a content type other
                            than JSON is an error, answered with an exception object */
} restpipe_reply_head;

typedef struct restpipe_exception {
  size_t size;
  restpipe_text class_name; /* bare, without namespaces: "TypeError" */
  restpipe_text message;
  restpipe_text traceback; /* goes to the caller: no paths, no addresses */
} restpipe_exception;

/* The other end of a pipe. */
typedef struct restpipe_peer {
  size_t size;
  restpipe_text name;    /* identity from its certificate */
  restpipe_text address; /* textual IP address */
  uint16_t port;
} restpipe_peer;

/* Called with the `self` of the plugin. Several may run at once, on different threads. The call is
 * answered through the host's functions, before or after invoke() returns. */
typedef void (*restpipe_invoke_fn)(void* self, void* method_data, restpipe_call* call,
                                   const restpipe_invocation* invocation);

typedef struct restpipe_method {
  size_t size;
  restpipe_text verb; /* get, post, put, delete or patch */
  restpipe_text
      noun;       /* letters, digits, '_', '-', '.', '/'; "time/utc" and "time_utc" are the same.
                     With '*' at its end it takes every noun that begins so; the longest wins */
  uint32_t flags; /* the flags above, joined with | */
  restpipe_invoke_fn invoke;
  void* method_data; /* passed to invoke() */
} restpipe_method;

/* What the node offers. Lives until the plugin's shutdown() has returned. */
typedef struct restpipe_host {
  size_t size;
  uint32_t abi_version;
  uint32_t role;           /* RESTPIPE_ROLE_SERVER or RESTPIPE_ROLE_CLIENT */
  restpipe_text node_name; /* this node's identity */

  /* Only during restpipe_plugin_init. INVALID: unknown verb, bad noun or flag, no invoke(), or the
   * method exists already. */
  restpipe_status (*register_method)(const struct restpipe_host* host,
                                     const restpipe_method* method);
  /* Only during restpipe_plugin_init: why it is about to return something other than OK. */
  void (*set_error)(const struct restpipe_host* host, restpipe_text reason);

  /* A line in the node's log. No secrets, no payloads. */
  void (*log)(const struct restpipe_host* host, uint32_t level, restpipe_text message);

  void (*retain)(restpipe_call* call);
  void (*release)(restpipe_call* call);

  /* Milliseconds until the call's deadline; 0 when it has passed, -1 when there is none. */
  int64_t (*time_left_ms)(restpipe_call* call);
  /* 1 once nobody waits for the answer any more: cancelled, or past the deadline. */
  int32_t (*is_cancelled)(restpipe_call* call);
  /* Runs `callback(user)` once when that happens, at once if it has; never after the answer is
   * complete. It must not block. A null callback takes it back and waits for one that is running on
   * another thread, so `user` may then be freed. One per call. */
  void (*on_cancel)(restpipe_call* call, void (*callback)(void* user), void* user);

  /* The whole answer at once. ANSWERED, GONE: as above. An INVALID head (code or content type) is
   * answered to the caller with an exception object that says so. */
  restpipe_status (*reply)(restpipe_call* call, const restpipe_reply_head* head,
                           restpipe_text body);
  /* Code 251 with the exception object. After begin(): breaks the stream off. */
  restpipe_status (*raise)(restpipe_call* call, const restpipe_exception* exception);

  /* An answer in pieces, for methods with RESTPIPE_STREAMING: begin(), write()s, end(). */
  restpipe_status (*begin)(restpipe_call* call, const restpipe_reply_head* head);
  /* The host keeps at most 512 KiB that the caller has not taken. When that is full, write() waits
   * up to wait_ms (-1: until the call ends; never wait in a method that is not RESTPIPE_BLOCKING)
   * and then says WOULD_BLOCK. With wait_ms 0 a piece is taken whole or not at all, and one over
   * 64 KiB is INVALID; otherwise a piece may have any size. WOULD_BLOCK after a wait leaves an
   * unknown part of the piece written, so treat it as the end. */
  restpipe_status (*write)(restpipe_call* call, restpipe_text piece, int64_t wait_ms);
  /* Runs `callback(user)` once when write() has room again or the call is gone, at once if so now.
   * It must not block. Null takes it back, as in on_cancel. */
  void (*on_writable)(restpipe_call* call, void (*callback)(void* user), void* user);
  restpipe_status (*end)(restpipe_call* call);

  /* Since 1.1: for methods with RESTPIPE_BODY_STREAM. Copies up to `size` bytes of the request's
   * body to `buffer` and sets `*got`; waits up to wait_ms for the first of them (-1: until the call
   * ends; never wait in a method that is not RESTPIPE_BLOCKING), then says WOULD_BLOCK. The caller
   * sends at most 512 KiB more than has been read. BODY_END, BODY_BROKEN: as above; ANSWERED after
   * the answer. From one thread at a time; another one may write meanwhile. */
  restpipe_status (*read)(restpipe_call* call, char* buffer, size_t size, int64_t wait_ms,
                          size_t* got);
  /* Runs `callback(user)` once when read() has something to say other than WOULD_BLOCK, at once if
   * so now. It must not block. Null takes it back, as in on_cancel. */
  void (*on_readable)(restpipe_call* call, void (*callback)(void* user), void* user);
} restpipe_host;

/* Whether the node has the member of that name, and it may be called: RESTPIPE_HOST_HAS(host,
 * on_readable). Needed for members that are marked with a version after 1.0. */
#define RESTPIPE_HOST_HAS(host, member) \
  ((host)->size >= offsetof(restpipe_host, member) + sizeof((host)->member))

/* What the plugin offers, filled in by restpipe_plugin_init. The host sets `size` and zeroes the
 * rest; functions that stay null are not called. All but invoke() run one at a time, in the order
 * of what happened, on one thread that is not an I/O thread. */
typedef struct restpipe_plugin {
  size_t size;
  const char* name;    /* NUL-terminated, lives as long as the plugin; for logs */
  const char* version; /* as name */
  void* self;          /* passed to every function */

  /* Last of all; no invoke() runs any more and none will. When it returns, no thread of the plugin
   * calls the host, and the library may be unloaded. */
  void (*shutdown)(void* self);

  /* Both roles: a pipe is up and takes its first event after this; a pipe is gone, for whatever
   * reason. */
  void (*start_hook)(void* self, const restpipe_peer* peer);
  void (*stop_hook)(void* self, const restpipe_peer* peer);

  /* Server: no client is connected; at once, then every 60 s. waiting_since_s: Unix time. */
  void (*idle)(void* self, double waiting_since_s, double seconds);
  void (*connection_added)(void* self, const restpipe_peer* peer, uint64_t new_count);
  void (*connection_removed)(void* self, const restpipe_peer* peer, uint64_t new_count);

  /* Client: retry_attempts counts the failures since the last success; last_disconnected_s is the
   * Unix time of the first of them, 0 for none. */
  void (*connect_success)(void* self, uint64_t retry_attempts, double last_disconnected_s);
  void (*connect_fail)(void* self, uint64_t retry_attempts, double last_disconnected_s);
} restpipe_plugin;

/* A plugin defines these two, and a node looks them up by the names below. The number is
 * RESTPIPE_ABI_VERSION as the plugin was built with; it is read before any function is called. */
extern RESTPIPE_EXPORT const uint32_t restpipe_plugin_abi;
/* Registers the methods and fills `plugin` in. Anything but OK refuses the plugin, and nothing of
 * it is called again. */
RESTPIPE_EXPORT restpipe_status restpipe_plugin_init(const restpipe_host* host,
                                                     restpipe_plugin* plugin);

#define RESTPIPE_PLUGIN_ABI_SYMBOL "restpipe_plugin_abi"
#define RESTPIPE_PLUGIN_INIT_SYMBOL "restpipe_plugin_init"

typedef restpipe_status (*restpipe_plugin_init_fn)(const restpipe_host* host,
                                                   restpipe_plugin* plugin);

#ifdef __cplusplus
}
#endif

#endif
