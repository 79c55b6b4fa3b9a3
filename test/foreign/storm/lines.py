"""Programs that answer each line of JSON with another, which has its id; some at once."""
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


def serve(handle, threads=1):
    """Says that it is ready, and answers until its input ends; `handle` takes a question."""
    lock = threading.Lock()

    def say(answer):
        with lock:
            print(json.dumps(answer), flush=True)

    def answer(question):
        try:
            say({"id": question["id"], "value": handle(question)})
        except BaseException as error:
            say({"id": question["id"], "error": f"{type(error).__name__}: {error}"[:2000]})

    say({"id": 0})
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line))
