#!/usr/bin/env python3
"""What a client of Linger does, as its own client library does it: JSON bodies by default, an empty
body is no message, numbers in headers are integers, the channel is read from the header.

    linger_client_test.py http://127.0.0.1:8989
"""
import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request


class Client:
    def __init__(self, base):
        self.base = base

    def request(self, method, path, body=None, content_type=None, **parameters):
        url = self.base + path
        if parameters:
            url += "?" + urllib.parse.urlencode(parameters)
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=135) as response:
            return response.read(), response.headers

    def post(self, channel, body, content_type="application/json", **parameters):
        if content_type == "application/json":
            body = json.dumps(body).encode()
        path = "/channels/" + urllib.parse.quote(channel, safe="")
        return json.loads(self.request("POST", path, body, content_type, **parameters)[0])["id"]

    def get(self, channel, nowait=False):
        path = "/channels/" + urllib.parse.quote(channel, safe="")
        body, headers = self.request("GET", path, **({"nowait": "true"} if nowait else {}))
        if not body:
            return None
        message = {"mimetype": headers["Content-Type"], "body": body}
        for key in ("msg-id", "priority", "timeout", "deliver", "delivered", "received", "linger"):
            message[key] = int(headers["x-linger-" + key])
        message["channel"] = headers["x-linger-channel"]
        message["topic"] = headers["x-linger-topic"]
        if message["mimetype"].startswith("application/json"):
            message["body"] = json.loads(body)
        return message

    def json(self, path):
        return json.loads(self.request("GET", path)[0])

    def status_of(self, method, path, **parameters):
        try:
            self.request(method, path, **parameters)
        except urllib.error.HTTPError as error:
            return error.code, error.reason
        return 204, ""


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, wanted {wanted!r}")


def messages(client):
    number = client.post("c", {"a": [1, "\u00e9"]}, priority=2, timeout=10, deliver=5, linger=60)
    message = client.get("c")
    check("body", message["body"], {"a": [1, "\u00e9"]})
    check("numbers", [message[k] for k in ("msg-id", "priority", "timeout", "deliver", "delivered", "linger")],
          [number, 2, 10, 5, 1, 60])
    check("channel and topic", (message["channel"], message["topic"]), ("c", ""))
    check("nothing more", client.get("c", nowait=True), None)
    check("stats", client.json("/channels/c/stats"), {"ready": 0, "hidden": 1})
    check("touch", client.status_of("POST", f"/messages/{number}/touch"), (204, ""))
    check("delete", client.status_of("DELETE", f"/messages/{number}"), (204, ""))
    check("again", client.status_of("DELETE", f"/messages/{number}"), (404, "Message not found."))
    check("refused", client.status_of("POST", "/channels/c", priority="x", msg="m"),
          (400, "Invalid message priority."))


def topics(client):
    client.request("PUT", "/channels/c/topics/t", priority=-3)
    check("topics", client.json("/channels/c/topics"), {"topics": ["t"]})
    check("channels", client.json("/topics/t/channels"), {"channels": ["c"]})
    published = json.loads(client.request("POST", "/topics/t", b"m", "text/plain")[0])
    check("who got it", list(published), ["c"])
    message = client.get("c")
    check("copy", (message["msg-id"], message["topic"], message["priority"]), (published["c"], "t", -3))
    client.request("DELETE", "/channels/c/topics/t")
    client.request("DELETE", "/channels/c")
    check("nothing left", client.json("/topics"), {"topics": []})


def stream(client):
    """A consumer that polls while a producer posts."""
    taken = []

    def consume():
        while len(taken) < 50:
            message = client.get("s")
            if message:
                taken.append(message["body"])
                client.request("DELETE", f"/messages/{message['msg-id']}")

    consumer = threading.Thread(target=consume)
    consumer.start()
    for i in range(50):
        client.post("s", i)
    consumer.join(60)
    check("in order, each once", taken, list(range(50)))


def main():
    client = Client(sys.argv[1])
    check("welcome", client.json("/")["Linger"], "Welcome")
    messages(client)
    topics(client)
    stream(client)
    for key in ("msg-max-id", "current-messages", "db-size", "version"):
        check(key, key in client.json("/stats"), True)
    print("ok")


main()
