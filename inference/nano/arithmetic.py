"""Column arithmetic written out as the model is taught to write it: the lines of its reasoning.

Every function returns (lines, result). The formats are compact and regular: one line a column, from
the ones upward, each with what is written and what is carried or borrowed. Standard library only.
"""
PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands")


def digits(number):
    return [int(d) for d in reversed(str(number))]


def digit(number, place):
    column = digits(number)
    return column[place] if place < len(column) else 0


def add(a, b):
    lines, carry = [f"{a}+{b}"], 0
    width = max(len(str(a)), len(str(b)))
    for place in range(width):
        x, y = digit(a, place), digit(b, place)
        total = x + y + carry
        line = f"{PLACES[place]}: {x}+{y}{'+1' if carry else ''}={total}"
        carry = total // 10
        if place == width - 1:
            line += f" write {total}"
        else:
            line += f" write {total % 10}" + (" carry 1" if carry else "")
        lines.append(line)
    lines.append(f"{a}+{b}={a + b}")
    return lines, a + b


def subtract(a, b):
    if a < b:
        lines, result = subtract(b, a)
        return [f"{a}-{b}: {a}<{b}, so negative"] + lines + [f"{a}-{b}=-{result}"], -result
    lines, borrow = [f"{a}-{b}"], 0
    for place in range(len(str(a))):
        x, y = digit(a, place), digit(b, place)
        term = f"{y}{'-1' if borrow else ''}"
        value = x - y - borrow
        if value < 0:
            line = f"{PLACES[place]}: {x}-{term}<0, {x + 10}-{term}={value + 10}"
            line += f" write {value + 10} borrow 1"
        else:
            line = f"{PLACES[place]}: {x}-{term}={value} write {value}"
        borrow = int(value < 0)
        lines.append(line)
    lines.append(f"{a}-{b}={a - b}")
    return lines, a - b


def times_digit(a, b):
    """Product of a number and a number below ten."""
    if len(str(a)) == 1:
        return [f"{a}*{b}={a * b}"], a * b
    lines, carry, width = [], 0, len(str(a))
    for place in range(width):
        x = digit(a, place)
        total = x * b + carry
        line = f"{PLACES[place]}: {x}*{b}={x * b}" + (f", {x * b}+{carry}={total}" if carry else "")
        carry = total // 10
        if place == width - 1:
            line += f" write {total}"
        else:
            line += f" write {total % 10}" + (f" carry {carry}" if carry else "")
        lines.append(line)
    lines.append(f"{a}*{b}={a * b}")
    return lines, a * b


def multiply(a, b):
    """Product of numbers below 100 by partial products."""
    if len(str(a)) < len(str(b)):
        a, b = b, a
    if b < 10:
        return [f"{a}*{b}"] + times_digit(a, b)[0], a * b
    tens, ones = divmod(b, 10)
    if ones == 0:
        return [f"{a}*{b}"] + times_digit(a, tens)[0] + [f"{a}*{b}={a * b}"], a * b
    lines = [f"{a}*{b}={a}*{ones}+{a}*{b - ones}"] + times_digit(a, ones)[0]
    lines += times_digit(a, tens)[0] + [f"{a}*{b - ones}={a * (b - ones)}"]
    lines += add(a * ones, a * (b - ones))[0] + [f"{a}*{b}={a * b}"]
    return lines, a * b


def divide(a, b):
    """Quotient and remainder where the quotient is at most 12."""
    quotient, rest = divmod(a, b)
    if rest == 0:
        return [f"{b}*{quotient}={a}"], (quotient, 0)
    return [f"{b}*{quotient}={b * quotient}, {a}-{b * quotient}={rest}<{b}"], (quotient, rest)


def compare(a, b):
    """Sign of a-b, by the number of digits, then digit by digit from the left."""
    first, second = str(a), str(b)
    if len(first) != len(second):
        more = "<" if a < b else ">"
        return [f"{a} has {len(first)} digits, {b} has {len(second)}, so {a}{more}{b}"], (a > b) - (a < b)
    lines = []
    for place in range(len(first) - 1, -1, -1):
        x, y = digit(a, place), digit(b, place)
        sign = "=" if x == y else "<" if x < y else ">"
        lines.append(f"{PLACES[place]}: {x}{sign}{y}")
        if x != y:
            break
    sign = "=" if a == b else "<" if a < b else ">"
    return lines + [f"{a}{sign}{b}"], (a > b) - (a < b)


def order(numbers, descending):
    """Selection sort: one line for each number taken."""
    lines, left, result = [], list(numbers), []
    word = "largest" if descending else "smallest"
    while left:
        taken = max(left) if descending else min(left)
        lines.append(" ".join(map(str, left)) + (f": {word} {taken}" if len(left) > 1 else ": last"))
        left.remove(taken)
        result.append(taken)
    return lines, result
