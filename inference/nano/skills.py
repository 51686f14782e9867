"""Seeded generators of problems: each returns a Problem with its question, reasoning and answer.

A problem's `key` names it apart from its wording. `held_out(key)` splits by a hash of the key, so
what the evaluation asks was never trained on, in whatever words. Standard library only.
"""
import hashlib
from collections import namedtuple

import arithmetic

Problem = namedtuple("Problem", "skill key question thinking answer")
HELD_OUT_SHARE = 10  # percent


def held_out(key):
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % 100 < HELD_OUT_SHARE


def made(skill, key, question, lines, answer):
    return Problem(skill, f"{skill} {key}", question, "\n".join(lines), answer)


def number(rng, longest):
    """A number whose count of digits is drawn first, so that all lengths are as frequent."""
    size = rng.randint(1, longest)
    return rng.randrange(10 ** (size - 1) if size > 1 else 0, 10 ** size)


ADD_WORDS = (
    "{a}+{b}", "{a} + {b}", "{a}+{b}=", "{a} + {b} = ?", "What is {a}+{b}?", "What is {a} + {b}?",
    "what's {a} plus {b}?", "What is {a} plus {b}?", "Calculate {a} + {b}.", "Compute {a}+{b}.",
    "Add {a} and {b}.", "How much is {a} + {b}?", "How much is {a} plus {b}?",
    "What is the sum of {a} and {b}?", "Sum of {a} and {b}", "Work out {a}+{b}.", "Solve {a} + {b}",
    "If I add {a} and {b}, what do I get?", "Can you add {a} and {b}?", "{a} plus {b}",
    "What do {a} and {b} add up to?", "Tell me {a}+{b}.")
SUBTRACT_WORDS = (
    "{a}-{b}", "{a} - {b}", "{a}-{b}=", "{a} - {b} = ?", "What is {a}-{b}?", "What is {a} - {b}?",
    "what's {a} minus {b}?", "What is {a} minus {b}?", "Calculate {a} - {b}.", "Compute {a}-{b}.",
    "Subtract {b} from {a}.", "How much is {a} - {b}?", "How much is {a} minus {b}?",
    "What is the difference between {a} and {b}?", "Take {b} away from {a}.", "Work out {a}-{b}.",
    "Solve {a} - {b}", "If I take {b} from {a}, what is left?", "{a} minus {b}", "Tell me {a}-{b}.")
MULTIPLY_WORDS = (
    "{a}*{b}", "{a} * {b}", "{a}x{b}", "{a} x {b}", "{a} × {b}", "{a}*{b}=", "{a} * {b} = ?",
    "What is {a}*{b}?", "What is {a} x {b}?", "What is {a} × {b}?", "what's {a} times {b}?",
    "What is {a} times {b}?", "Calculate {a} * {b}.", "Compute {a}*{b}.", "Multiply {a} by {b}.",
    "Multiply {a} and {b}.", "How much is {a} times {b}?", "What is the product of {a} and {b}?",
    "Work out {a} x {b}.", "{a} times {b}", "Tell me {a} times {b}.")
DIVIDE_WORDS = (
    "{a}/{b}", "{a} / {b}", "{a} : {b}", "{a} ÷ {b}", "What is {a}/{b}?", "What is {a} / {b}?",
    "What is {a} divided by {b}?", "Divide {a} by {b}.", "{a} divided by {b}", "Compute {a}/{b}.",
    "How much is {a} divided by {b}?", "How often does {b} go into {a}?", "Calculate {a} / {b}.")


def addition(rng, longest=4):
    a, b = number(rng, longest), number(rng, longest)
    lines, result = arithmetic.add(a, b)
    return made("add", f"{a} {b}", rng.choice(ADD_WORDS).format(a=a, b=b), lines,
                f"{a} + {b} = {result}.")


def subtraction(rng, longest=4):
    a, b = number(rng, longest), number(rng, longest)
    if a < b and rng.random() < 0.8:
        a, b = b, a
    lines, result = arithmetic.subtract(a, b)
    return made("sub", f"{a} {b}", rng.choice(SUBTRACT_WORDS).format(a=a, b=b), lines,
                f"{a} - {b} = {result}.")


def multiplication(rng, longest=2):
    a, b = number(rng, longest), number(rng, longest)
    lines, result = arithmetic.multiply(a, b)
    return made("mul", f"{a} {b}", rng.choice(MULTIPLY_WORDS).format(a=a, b=b), lines,
                f"{a} * {b} = {result}.")


def division(rng):
    b = rng.randint(2, 9)
    a = b * rng.randint(1, 12) + (rng.randrange(b) if rng.random() < 0.4 else 0)
    lines, (quotient, rest) = arithmetic.divide(a, b)
    answer = f"{a} / {b} = {quotient}" + (f" remainder {rest}." if rest else ".")
    return made("div", f"{a} {b}", rng.choice(DIVIDE_WORDS).format(a=a, b=b), lines, answer)


def add_three(rng):
    a, b, c = (number(rng, 2) for _ in range(3))
    first, partial = arithmetic.add(a, b)
    second, result = arithmetic.add(partial, c)
    words = rng.choice(("{a}+{b}+{c}", "{a} + {b} + {c}", "What is {a} + {b} + {c}?",
                        "Add {a}, {b} and {c}.", "What is the sum of {a}, {b} and {c}?"))
    return made("add3", f"{a} {b} {c}", words.format(a=a, b=b, c=c), first + second,
                f"{a} + {b} + {c} = {result}.")


def comparison(rng):
    a, b = number(rng, 4), number(rng, 4)
    if rng.random() < 0.5:
        b = max(0, a + rng.choice((-1, 1)) * number(rng, max(1, len(str(a)) - 1)))
    lines, sign = arithmetic.compare(a, b)
    larger = rng.random() < 0.6
    word = rng.choice(("larger", "bigger", "greater") if larger else ("smaller", "less", "lower"))
    words = rng.choice((f"Which is {word}, {a} or {b}?", f"Which is {word}: {a} or {b}?",
                        f"which number is {word}, {a} or {b}", f"Is {a} {word} than {b}?",
                        f"Is {a} {word} than {b}?", f"Compare {a} and {b}.", f"Compare {a} with {b}."))
    if sign == 0:
        answer = f"{a} and {b} are equal."
    elif words.startswith("Is "):
        truth = (sign > 0) == larger
        relation = "larger" if sign > 0 else "smaller"
        answer = f"{'Yes' if truth else 'No'}, {a} is {relation} than {b}."
    else:
        larger = larger or words.startswith("Compare")
        pick, other = (a, b) if (sign > 0) == larger else (b, a)
        answer = f"{pick} is {'larger' if larger else 'smaller'} than {other}."
    return made("compare", f"{a} {b}", words, lines, answer)


def sorting(rng):
    numbers = [number(rng, 3) for _ in range(rng.randint(3, 6))]
    separator = rng.choice((", ", " ", ","))
    text = separator.join(map(str, numbers))
    key = " ".join(map(str, numbers))
    kind = rng.random()
    if kind < 0.25:
        highest = rng.random() < 0.5
        word = rng.choice(("largest", "biggest", "highest") if highest else ("smallest", "lowest"))
        words = rng.choice((f"What is the {word} of {text}?", f"Which is the {word}: {text}?",
                            f"Find the {word} number: {text}", f"{word} of {text}"))
        pick = max(numbers) if highest else min(numbers)
        name = "largest" if highest else "smallest"
        return made("sort", key, words, [f"{key}: {name} {pick}"], f"The {name} number is {pick}.")
    descending = rng.random() < 0.35
    if descending:
        words = rng.choice(("Sort {t} in descending order.", "Sort descending: {t}",
                            "Sort from largest to smallest: {t}", "Order {t} from high to low.",
                            "Put {t} in descending order."))
    else:
        words = rng.choice(("Sort {t}.", "Sort: {t}", "sort {t}", "Sort these numbers: {t}",
                            "Sort {t} in ascending order.", "Put {t} in order.", "Order {t}",
                            "Sort from smallest to largest: {t}", "Please sort {t}.",
                            "Can you sort {t}?"))
    lines, result = arithmetic.order(numbers, descending)
    return made("sort", key, words.format(t=text), lines, "Sorted: " + ", ".join(map(str, result)) + ".")


def parity(rng):
    a = number(rng, 4)
    word = "even" if a % 2 == 0 else "odd"
    asked = rng.choice(("even", "odd"))
    words = rng.choice((f"Is {a} even or odd?", f"Is {a} {asked}?", f"is {a} an {asked} number?",
                        f"Is the number {a} {asked}?"))
    answer = f"{a} is {word}."
    return made("parity", f"{a}", words, [f"the last digit is {a % 10}, {word}"], answer)


def arithmetic_problem(rng):
    """One of the plain arithmetic skills, in the proportion in which they are trained."""
    pick = rng.choices((addition, subtraction, multiplication, division, add_three, comparison,
                        sorting, parity), (30, 28, 18, 6, 3, 7, 10, 1))[0]
    return pick(rng)
