"""Writers and takers that speak to the queue over HTTP and write down what they see."""

import http.client
import random
import threading
import time

from history import Delete, Delivery, History, Put

ANSWER_SECONDS = 10.0


class Unanswered(Exception):
    """The connection ended before the answer was complete, or the server says that it cannot know
    or cannot do it now."""


# What a server may say whose disk fails: no promise is made with it.
TROUBLE = (500, 503, 507)


class Connection:
    """One keep-alive connection that is made anew after each failure."""

    def __init__(self, port: int):
        self._port = port
        self._http: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: str | None = None):
        try:
            if self._http is None:
                self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
            self._http.request(method, path, body)
            response = self._http.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            if self._http is not None:
                self._http.close()
            self._http = None
            raise Unanswered(str(error)) from error
        if response.status in TROUBLE:
            raise Unanswered(f"{response.status} {text!r}")
        return response, text


class UnexpectedAnswer(Exception):
    pass


def put(connection: Connection, history: History, channel: str, body: str, priority: int):
    seconds = int(history.visibility)
    operation = history.add(Put(body, time.monotonic()))
    response, text = connection.ask(
        "POST", f"/channels/{channel}?timeout={seconds}&priority={priority}", body)
    if response.status != 202:
        raise UnexpectedAnswer(f"put: {response.status} {text!r}")
    operation.id = int(text.split(b":")[1].strip(b" }"))
    operation.answered = time.monotonic()


def take(connection: Connection, history: History, channel: str) -> Delivery | None:
    sent = time.monotonic()
    response, text = connection.ask("GET", f"/channels/{channel}?nowait")
    if response.status == 204:
        return None
    if response.status != 200:
        raise UnexpectedAnswer(f"take: {response.status} {text!r}")
    headers = response.headers
    return history.add(Delivery(
        id=int(headers["x-linger-msg-id"]), body=text.decode(), channel=channel,
        priority=int(headers["x-linger-priority"]), count=int(headers["x-linger-delivered"]),
        sent=sent, answered=time.monotonic()))


def delete(connection: Connection, history: History, id: int):
    operation = history.add(Delete(id, time.monotonic()))
    response, text = connection.ask("DELETE", f"/messages/{id}")
    if response.status not in (204, 404):
        raise UnexpectedAnswer(f"delete: {response.status} {text!r}")
    operation.found = response.status == 204
    operation.answered = time.monotonic()


class Workers:
    """Threads that go on through every death of the server until stop()."""

    def __init__(self, port: int, history: History, name: str, channels: list[str], writers: int, takers: int):
        self._port = port
        self._history = history
        self._stopped = threading.Event()
        self.errors: list[str] = []
        self._threads = []
        for number in range(writers):
            self._add(self._write, f"{name}-w{number}", channels)
        for number in range(takers):
            # An ordered channel has exactly one taker.
            shared = [name for name in channels if not name.startswith("ordered-")]
            self._add(self._take, f"{name}-t{number}", shared)
        for channel in channels:
            if channel.startswith("ordered-"):
                self._add(self._take, f"{name}-{channel}", [channel])

    def _add(self, work, name: str, channels: list[str]):
        thread = threading.Thread(target=self._run, args=(work, name, channels), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work, name: str, channels: list[str]):
        chance = random.Random(name)
        connection = Connection(self._port)
        count = 0
        while not self._stopped.is_set():
            try:
                count += 1
                work(connection, chance, f"{name}-{count}", chance.choice(channels))
            except Unanswered:
                self._stopped.wait(0.005)
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(f"{name}: {type(error).__name__}: {error}")
                return

    def _write(self, connection: Connection, chance: random.Random, body: str, channel: str):
        priority = 0 if channel.startswith("ordered-") else chance.choice([-5, 0, 0, 7])
        put(connection, self._history, channel, body + "." * chance.choice([0, 10, 3000]), priority)

    def _take(self, connection: Connection, chance: random.Random, _: str, channel: str):
        delivery = take(connection, self._history, channel)
        if delivery is None:
            self._stopped.wait(0.002)
        elif chance.random() < 0.8:  # the others come back when their lease ends
            delete(connection, self._history, delivery.id)

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS * 2)
            if thread.is_alive():
                self.errors.append(f"{thread.name} did not end")


def drain(port: int, history: History, channels: list[str]):
    """Takes and deletes everything, hidden messages too, once their leases have ended."""
    connection = Connection(port)
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + history.visibility + 1.0:
        for channel in channels:
            while (delivery := take(connection, history, channel)) is not None:
                delete(connection, history, delivery.id)
                quiet_since = time.monotonic()
        time.sleep(0.05)
