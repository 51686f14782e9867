"""Word problems, unit conversions, weekdays and dates; the same interface as skills.py."""
import arithmetic
from skills import made, number

NAMES = ("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jack", "Kim",
         "Leo", "Maria", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tom", "Vera", "Mary", "John",
         "Alice", "Bob", "Lucy", "Peter", "Sara", "Max", "Nina", "Omar")
THINGS = ("apples", "books", "coins", "pencils", "cards", "eggs", "stamps", "marbles", "balls",
          "cookies", "flowers", "stones", "tickets", "oranges", "chairs", "bottles", "keys",
          "servers", "cables", "boxes", "letters", "cakes", "toys", "shirts")
GAIN = ("{n} has {a} {t} and buys {b} more. How many {t} does {n} have now?",
        "{n} has {a} {t}. {m} gives {n} {b} more. How many {t} does {n} have?",
        "{n} has {a} {t} and gets {b} more. How many {t} are there?",
        "There are {a} {t} on the table. {n} adds {b} {t}. How many {t} are there now?",
        "{n} finds {a} {t} and then {b} {t}. How many {t} is that in total?",
        "{n} has {a} {t} and {m} has {b} {t}. How many {t} do they have together?")
LOSS = ("{n} has {a} {t} and gives {b} to {m}. How many {t} does {n} have left?",
        "{n} has {a} {t} and loses {b}. How many {t} are left?",
        "{n} had {a} {t} and sold {b}. How many {t} are left?",
        "There are {a} {t} in a box. {n} takes {b} out. How many {t} are left in the box?",
        "{n} has {a} {t}. {n} uses {b} of them. How many {t} remain?",
        "{n} has {a} {t}, {m} has {b}. How many more {t} does {n} have?")
EACH = ("There are {a} boxes with {b} {t} in each. How many {t} are there?",
        "{n} has {a} bags with {b} {t} each. How many {t} does {n} have?",
        "{n} buys {a} packs of {b} {t}. How many {t} is that?",
        "Each of {a} children has {b} {t}. How many {t} are there in total?",
        "One of the {t} costs {a} euros. How much do {b} {t} cost?")


def story(rng):
    name, other = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    kind = rng.choices(("gain", "loss", "each", "both"), (3, 3, 3, 2))[0]
    if kind == "each":
        a, b = rng.randint(2, 12), rng.randint(2, 30)
        words = rng.choice(EACH)
        lines, result = arithmetic.multiply(a, b)
        unit = "euros" if "euros" in words else thing
        lines = ["multiply"] + lines
    elif kind == "both":
        a, b, c = rng.randint(5, 60), rng.randint(2, 40), rng.randint(1, 5)
        words = rng.choice(
            ("{n} has {a} {t}, buys {b} more and gives {c} to {m}. How many {t} does {n} have now?",
             "There are {a} {t}. {n} adds {b} and takes {c} away. How many {t} are there?"))
        first, partial = arithmetic.add(a, b)
        second, result = arithmetic.subtract(partial, c)
        lines, unit = ["add, then subtract"] + first + second, thing
        return made("story", f"{kind} {a} {b} {c}",
                    words.format(n=name, m=other, a=a, b=b, c=c, t=thing), lines, f"{result} {unit}.")
    else:
        a, b = number(rng, 3), number(rng, 3)
        if kind == "loss" and a < b:
            a, b = b, a
        words = rng.choice(GAIN if kind == "gain" else LOSS)
        lines, result = (arithmetic.add if kind == "gain" else arithmetic.subtract)(a, b)
        lines, unit = ["add" if kind == "gain" else "subtract"] + lines, thing
    text = words.format(n=name, m=other, a=a, b=b, t=thing)
    return made("story", f"{kind} {a} {b}", text, lines, f"{result} {unit}.")


# large unit, small unit, factor
UNITS = (("km", "m", 1000), ("kilometers", "meters", 1000), ("kilometres", "metres", 1000),
         ("m", "cm", 100), ("meters", "centimeters", 100), ("cm", "mm", 10), ("kg", "g", 1000),
         ("kilograms", "grams", 1000), ("tons", "kg", 1000), ("liters", "ml", 1000),
         ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24),
         ("weeks", "days", 7), ("years", "months", 12), ("euros", "cents", 100),
         ("dollars", "cents", 100), ("centuries", "years", 100), ("decades", "years", 10))


def unit(rng):
    large, small, factor = rng.choice(UNITS)
    power = str(factor).strip("0") == "1"
    n = rng.randint(1, 99 if power else 30)
    if rng.random() < 0.65:
        fact = f"1 {large} = {factor} {small}"
        if power:
            lines = [fact, f"{n}*{factor}={n * factor}"]
        elif factor == 60:
            lines = [fact] + arithmetic.multiply(n, 6)[0] + [f"{n}*60={n * 60}"]
        else:
            lines = [fact] + arithmetic.multiply(n, factor)[0]
        words = rng.choice(("How many {s} are {n} {l}?", "Convert {n} {l} to {s}.", "{n} {l} in {s}",
                            "How many {s} are there in {n} {l}?", "What is {n} {l} in {s}?",
                            "{n} {l} to {s}", "How many {s} is {n} {l}?"))
        text = words.format(n=n, l=large, s=small)
        return made("unit", f"{n} {large} {small}", text, lines, f"{n} {large} = {n * factor} {small}.")
    n = n if power else rng.randint(1, 12)
    total = n * factor
    words = rng.choice(("How many {l} are {n} {s}?", "Convert {n} {s} to {l}.", "{n} {s} in {l}",
                        "What is {n} {s} in {l}?", "{n} {s} to {l}", "How many {l} is {n} {s}?"))
    lines = [f"{factor} {small} = 1 {large}", f"{total}={n}*{factor}"]
    text = words.format(n=total, l=large, s=small)
    return made("unit", f"{total} {small} {large}", text, lines, f"{total} {small} = {n} {large}.")


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def weekday(rng):
    start, back = rng.randrange(7), rng.random() < 0.3
    n = rng.randint(1, 30)
    step = -1 if back else 1
    lines, rest = [], n
    if n >= 7:
        rest = n % 7
        lines.append(f"{n}-{n - rest}={rest}, so count {rest} days")
    names = [DAYS[(start + step * i) % 7] for i in range(rest + 1)]
    lines.append(", ".join(names))
    day = DAYS[start]
    if n == 1 and rng.random() < 0.7:
        words = rng.choice(("What day comes before {d}?", "What day is before {d}?") if back else
                           ("What day comes after {d}?", "What day is after {d}?",
                            "Today is {d}. What day is tomorrow?"))
    elif back:
        words = rng.choice(("What day is {n} days before {d}?", "What day was it {n} days before {d}?",
                            "Today is {d}. What day was it {n} days ago?"))
    else:
        words = rng.choice(("What day is {n} days after {d}?", "Today is {d}. What day is it in {n} days?",
                            "If today is {d}, what day is it in {n} days?", "{n} days after {d}",
                            "Which weekday is {n} days after {d}?"))
    key = f"{day} {step * n}"
    return made("weekday", key, words.format(d=day, n=n), lines, f"It is {names[-1]}.")


def calendar(rng):
    kind = rng.randrange(3)
    if kind == 0:
        i = rng.randrange(12)
        words = rng.choice(("How many days does {m} have?", "How many days are in {m}?", "days in {m}"))
        more = ", 29 in a leap year" if i == 1 else ""
        return made("calendar", f"length {i}", words.format(m=MONTHS[i]),
                    [f"the user asks for the length of {MONTHS[i]}"],
                    f"{MONTHS[i]} has {LENGTHS[i]} days{more}.")
    if kind == 1:
        i, step = rng.randrange(12), rng.choice((-1, 1))
        side = "after" if step > 0 else "before"
        words = rng.choice(("Which month comes {s} {m}?", "What month is {s} {m}?"))
        return made("calendar", f"month {i} {step}", words.format(s=side, m=MONTHS[i]),
                    [f"the month {side} {MONTHS[i]}"], f"{MONTHS[(i + step) % 12]}.")
    year = rng.randint(1890, 2110)
    words = rng.choice(("Is {y} a leap year?", "Was {y} a leap year?", "is the year {y} a leap year"))
    part, name = (year // 100, "first") if year % 100 == 0 else (year % 100, "last")
    leap = part % 4 == 0
    near = part - part % 4
    lines = [f"{name} two digits of {year}: {part:02d}", f"4*{near // 4}={near}"
             + ("" if leap else f", remainder {part % 4}")]
    return made("calendar", f"leap {year}", words.format(y=year), lines,
                f"{'Yes' if leap else 'No'}, {year} is {'' if leap else 'not '}a leap year.")


def words_problem(rng):
    pick = rng.choices((story, unit, weekday, calendar), (40, 25, 25, 10))[0]
    return pick(rng)
