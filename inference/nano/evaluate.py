#!/usr/bin/env python3
"""Held-out accuracy per skill, measured through the engine: what README.md quotes.

  evaluate.py --socket PATH [--count 100] [--json FILE]
  evaluate.py --engine BIN --model DIR [...]      starts `BIN --model DIR --socket PATH` itself

Talks OpenAI HTTP over the engine's Unix socket. No problem asked here was trained on: numbers,
durations and phrasings are split by a hash of the problem (skills.held_out), and the phrasings of
`help, new wording` are marked `h` in help.txt and never trained. An answer counts when it is exactly
the expected text. Standard library only. Exit 0 when every request was answered, else 2.
"""
import argparse
import collections
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import data
import skills
import talk
import words

Case = collections.namedtuple("Case", "history question answer")


def drawn(rng, make, count, wanted=lambda problem: True):
    """`count` different held-out problems; fewer where a skill does not have as many."""
    found, tries = {}, 0
    while len(found) < count and tries < count * 400:
        tries += 1
        problem = make(rng)
        if skills.held_out(problem.key) and wanted(problem):
            found.setdefault(problem.key, problem)
    return list(found.values())


def plain(problems):
    return [Case((), p.question, p.answer) for p in problems]


def follow_ups(rng, count):
    cases = {}
    while len(cases) < count:
        pair = data.follow_up(rng)
        if pair and skills.held_out(pair[1].key):
            first, second = pair
            cases[second.key] = Case(((first.question, first.answer),), second.question, second.answer)
    return list(cases.values())


def problems(count, seed):
    """{skill: [Case]}; the same for the same seed."""
    rng = random.Random(seed)
    result = {}
    for digits in (1, 2, 3, 4):
        def sized(p, digits=digits):
            return max(len(n) for n in p.key.split()[1:]) == digits
        for make, name in ((skills.addition, "addition"), (skills.subtraction, "subtraction")):
            found = drawn(rng, lambda r, m=make, d=digits: m(r, d), count, sized)
            result[f"{name}, {digits} digits"] = plain(found)
    result["addition of three"] = plain(drawn(rng, skills.add_three, count))
    result["multiplication, by 1 digit"] = plain(drawn(
        rng, skills.multiplication, count, lambda p: min(len(n) for n in p.key.split()[1:]) == 1))
    result["multiplication, 2 digits"] = plain(drawn(
        rng, skills.multiplication, count, lambda p: min(len(n) for n in p.key.split()[1:]) == 2))
    result["division"] = plain(drawn(rng, skills.division, count))
    result["comparison"] = plain(drawn(rng, skills.comparison, count))
    result["sorting"] = plain(drawn(rng, skills.sorting, count))
    result["word problems"] = plain(drawn(rng, words.story, count))
    result["unit conversion"] = plain(drawn(rng, words.unit, count))
    result["weekdays"] = plain(drawn(rng, words.weekday, count))
    result["leap years"] = plain(drawn(rng, words.calendar, count, lambda p: "leap" in p.key))
    result["follow-up questions"] = follow_ups(rng, count)
    phrasings = [talk.asked(t, p) for t in talk.TOPICS for q in t["q"] for p in q]
    phrasings = [p for p in phrasings if skills.held_out(p.key)]
    result["help, held-out phrasing"] = plain(rng.sample(phrasings, min(3 * count, len(phrasings))))
    result["help, new wording"] = [Case((), h, t["answer"]) for t in talk.TOPICS for h in t["h"]]
    result["declines what it cannot"] = plain(drawn(rng, talk.declined, 2 * count))
    return result


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(120)
        self.sock.connect(self.path)


def request(path, method, target, body=None):
    connection = UnixConnection(path)
    try:
        connection.request(method, target, json.dumps(body) if body else None,
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        raise OSError(f"{target}: status {response.status}: {text[:200]}")
    return json.loads(text)


def ask(path, model, case):
    messages = []
    for user, answer in case.history:
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    messages.append({"role": "user", "content": case.question})
    reply = request(path, "POST", "/v1/chat/completions",
                    {"model": model, "messages": messages, "temperature": 0, "max_tokens": 320})
    return reply["choices"][0]["message"]["content"].strip(), reply["usage"]["completion_tokens"]


def start(engine, model, path):
    """Starts the engine and waits until it lists its model; the process."""
    process = subprocess.Popen([engine, "--model", model, "--socket", path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{engine}: ended with status {process.returncode} while starting")
        try:
            request(path, "GET", "/v1/models")
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    sys.exit(f"{engine}: did not answer on {path} within 60 s")


def measure(path, count, seed, parallel, wanted):
    """Table and figures: [{skill, asked, right, percent, wrong examples}]."""
    model = request(path, "GET", "/v1/models")["data"][0]["id"]
    rows, tokens, began = [], 0, time.monotonic()
    with ThreadPoolExecutor(parallel) as pool:
        for skill, cases in problems(count, seed).items():
            if wanted not in skill:
                continue
            replies = list(pool.map(lambda case: ask(path, model, case), cases))
            wrong = [{"question": c.question, "answer": r[0], "expected": c.answer}
                     for c, r in zip(cases, replies) if r[0] != c.answer]
            tokens += sum(r[1] for r in replies)
            rows.append({"skill": skill, "asked": len(cases), "right": len(cases) - len(wrong),
                         "percent": round(100 * (1 - len(wrong) / max(1, len(cases))), 1),
                         "wrong": wrong[:5]})
            print(f"| {skill} | {rows[-1]['asked']} | {rows[-1]['percent']} % |", flush=True)
    seconds = time.monotonic() - began
    asked, right = (sum(r[k] for r in rows) for k in ("asked", "right"))
    if not asked:
        raise ValueError(f"no skill's name holds `{wanted}`")
    print(f"| all | {asked} | {100 * right / asked:.1f} % |")
    return {"model": model, "seed": seed, "asked": asked, "right": right,
            "percent": round(100 * right / asked, 1), "seconds": round(seconds, 1),
            "tokens_per_second": round(tokens / seconds, 1), "skills": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--socket", help="Unix socket of a running engine")
    parser.add_argument("--engine", help="portcullis-engine to start")
    parser.add_argument("--model", default=os.path.join(data.HERE, "model"),
                        help="model folder for --engine (default: the built-in model)")
    parser.add_argument("--count", type=int, default=100, help="problems per skill")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--skill", default="", help="only the skills whose name holds this")
    parser.add_argument("--parallel", type=int, default=8, help="requests at once")
    parser.add_argument("--json", help="write the figures and some wrong answers to this file")
    options = parser.parse_args()
    if not options.socket and not options.engine:
        parser.error("give --socket PATH or --engine BIN")
    process = None
    with tempfile.TemporaryDirectory() as folder:
        path = options.socket or os.path.join(folder, "engine.sock")
        try:
            if options.engine:
                process = start(options.engine, options.model, path)
            figures = measure(path, options.count, options.seed, options.parallel, options.skill)
        except (OSError, KeyError, ValueError) as error:
            print(f"evaluate.py: {path}: {error}", file=sys.stderr)
            return 2
        finally:
            if process:
                process.terminate()
                process.wait(30)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
