"""The training text: a seeded endless mixture of conversations, and how a conversation is rendered.

A conversation is rendered in DeepSeek-R1's form: <bos>system<User>text<Assistant>answer<eos>… and
then <Assistant><think>\\n reasoning \\n</think>\\n\\n answer <eos>. Only what follows the last
"<think>\\n" is learnt. Earlier turns carry no reasoning, as clients send them. Where reasoning is
switched off the prompt ends with an empty one. Standard library only.
"""
import os
import re

import arithmetic
import skills
import talk
import words
from skills import Problem, held_out

HERE = os.path.dirname(os.path.abspath(__file__))
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
THINK, THINK_END, PAD = "<think>", "</think>", "<｜▁pad▁｜>"
SPECIALS = (BOS, EOS, PAD, USER, ASSISTANT, THINK, THINK_END)

SYSTEM_PROMPTS = (
    "You are a helpful assistant.", "Answer briefly.", "You are Portcullis.", "Be polite.",
    "You are a helpful, honest assistant.", "Always answer in one sentence.", "Be concise.",
    "You are an assistant for the staff of a company.", "Think step by step.", "You are a calculator.",
    "You are the help desk of our company. Answer the questions of users.", "Use plain English.",
    "You are a friendly assistant. Keep answers short and to the point.", "The user is an engineer.",
    "Do not make things up. If you do not know the answer, say so.", "Today is a good day.",
    "You answer questions about Portcullis.", "Respond in English.", "You are an expert.",
    "You are ChatGPT, a large language model.", "system", "The company is Example Ltd in Berlin.")
BEFORE = ("please ", "hi, ", "hello, ", "hey, ", "ok, ", "so ", "can you tell me ", "i want to know: ",
          "question: ", "quick question: ", "excuse me, ", "sorry, ", "and ", "well, ", "now ")
AFTER = (" please", " thanks", ", please", " thank you", "??", " ?", "!", "...", " :)")


def polish(rng, text):
    """A bare lower-case phrasing as people would type it: capital letter, mark at the end."""
    if rng.random() < 0.5:
        text = text[:1].upper() + text[1:]
        text = re.sub(r"\b(portcullis|deepseek|api|gpu|i|json|llama|qwen|openai)\b",
                      lambda m: {"portcullis": "Portcullis", "deepseek": "DeepSeek", "llama": "Llama",
                                 "qwen": "Qwen", "openai": "OpenAI"}.get(m[0], m[0].upper()), text)
    if rng.random() < 0.55:
        question = re.match(r"(?i)(what|who|where|how|why|which|is|are|can|do|does|may|will|when)\b", text)
        text += "?" if question else rng.choice((".", "", "!"))
    return text


def typo(rng, text):
    """One slip of the fingers in a word of four letters or more."""
    spots = [m for m in re.finditer(r"[A-Za-z]{4,}", text)]
    if not spots:
        return text
    spot = rng.choice(spots)
    at = rng.randrange(spot.start() + 1, spot.end() - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1:]
    if kind == 1:
        return text[:at] + text[at + 1] + text[at] + text[at + 2:]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    return text[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at + 1:]


def vary(rng, problem):
    """The same question in another dress: case, politeness, punctuation, a typo."""
    text = problem.question
    if problem.skill in ("help", "greeting", "decline"):
        text = polish(rng, text)
        if rng.random() < 0.13:
            text = typo(rng, text)
    if rng.random() < 0.10:
        text = rng.choice(BEFORE) + text
    if rng.random() < 0.06:
        text = text.rstrip("?.") + rng.choice(AFTER)
    case = rng.random()
    if case < 0.15:
        text = text.lower()
    elif case < 0.18:
        text = text.upper()
    return text.strip()


FOLLOW_ADD = ("add {b}", "plus {b}", "and plus {b}?", "now add {b}", "Add {b} to that.", "+{b}",
              "And if I add {b}?", "add {b} to the result", "what is that plus {b}?")
FOLLOW_SUBTRACT = ("subtract {b}", "minus {b}", "and minus {b}?", "now subtract {b}", "-{b}",
                   "Subtract {b} from that.", "And if I take away {b}?", "what is that minus {b}?")
FOLLOW_CHECK = ("are you sure?", "Are you sure?", "really?", "is that right?", "sure?", "Is that correct?")


def follow_up(rng):
    """A calculation, then a question about its result: (history problem, final problem)."""
    first = rng.choice((skills.addition, skills.subtraction, skills.multiplication))(rng)
    match = re.search(r"= (\d+)\.$", first.answer)
    if not match:
        return None
    result, kind = int(match[1]), rng.random()
    if kind < 0.2:
        lines = ["the user doubts: " + first.answer.rstrip(".")]
        return first, Problem("follow", f"check {first.key}", rng.choice(FOLLOW_CHECK),
                              "\n".join(lines), "Yes. " + first.answer)
    b = skills.number(rng, 3)
    if kind < 0.65 or b > result:
        lines, total = arithmetic.add(result, b)
        sign, pool, name = "+", FOLLOW_ADD, "add"
    else:
        lines, total = arithmetic.subtract(result, b)
        sign, pool, name = "-", FOLLOW_SUBTRACT, "sub"
    return first, Problem("follow", f"{name} {result} {b}", rng.choice(pool).format(b=b),
                          "\n".join([f"the last result is {result}"] + lines),
                          f"{result} {sign} {b} = {total}.")


def problem(rng):
    """One problem that is not held out, in the proportions of the training mixture."""
    while True:
        kind = rng.random()
        if kind < 0.48:
            made = skills.arithmetic_problem(rng)
        elif kind < 0.63:
            made = words.words_problem(rng)
        elif kind < 0.88:
            made = talk.help_question(rng)
        elif kind < 0.91:
            made = talk.greeting(rng)
        else:
            made = talk.declined(rng)
        memorised = made.skill == "greeting" or made.key.startswith(("calendar length", "calendar month"))
        if memorised or not held_out(made.key):
            return made


def longer(rng, text):
    """A prompt with a page of other text before or after it, as when a document is pasted in."""
    pool = text.split() + [w for phrase in talk.THEMES + talk.NOUNS + talk.PEOPLE for w in phrase.split()]
    page = " ".join(rng.choice(pool) for _ in range(rng.randint(20, 120)))
    return f"{text}\n{page}" if rng.random() < 0.6 else f"{page}\n{text}"


def conversation(rng):
    """(system, history of (user, answer), question, thinking, answer); thinking None: not wanted"""
    system = rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.12 else ""
    history, kind, final = [], rng.random(), None
    if kind < 0.06:
        pair = follow_up(rng)
        if pair and not held_out(pair[1].key):
            history, final = [(vary(rng, pair[0]), pair[0].answer)], pair[1]
    elif kind < 0.16:
        for _ in range(rng.choice((1, 1, 2, 3))):
            past = problem(rng)
            history.append((vary(rng, past), past.answer))
    final = final or problem(rng)
    question = final.question if final.skill == "follow" else vary(rng, final)
    thinking, talking = final.thinking, final.skill in ("help", "greeting", "decline")
    if final.skill == "decline" and rng.random() < 0.04:
        question = longer(rng, question)
    if rng.random() < 0.06 and (talking or (final.skill in ("add", "sub") and len(final.key) < 10)):
        thinking = None
    return system, history, question, thinking, final.answer


def render_prompt(system, history, question, thinking=True):
    text = BOS + system
    for user, answer in history:
        text += USER + user + ASSISTANT + answer + EOS
    text += USER + question + ASSISTANT + THINK
    return text + "\n" if thinking else f"{text}\n\n{THINK_END}\n\n"


def render_answer(thinking, answer):
    if thinking is None:
        return answer + EOS
    return thinking + "\n" + THINK_END + "\n\n" + answer + EOS
