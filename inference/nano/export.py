"""Writes the model folder from a checkpoint: what the engine loads, and what it must answer.

  python3 export.py --checkpoint FOLDER/checkpoint.pt --tokenizer FOLDER/tokenizer.json --out model

Matrices are stored as bfloat16, vectors as float32. `expected.json` holds, for a few conversations,
the rendered token ids and the greedy text of the stored weights computed in float32, up to and with
the end of sentence, and the logits of the first predicted position.
"""
import argparse
import json
import os
import shutil

import torch

import data
import tokenizer
import weights
from model import Model, load_config

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS = (
    ("", (), "What is 347 + 586?"),
    ("", (), "What is Portcullis?"),
    ("", (), "What does a 403 mean?"),
    ("You are a helpful assistant.", (), "Sort 41, 7, 230, 19."),
    ("", (("Hello", "Hello! How can I help you?"),), "Write a poem about the sea"),
    ("", (("What is 12 * 7?", "12 * 7 = 84."),), "now subtract 9"),
    ("", (), "Where is the audit log?"),
    ("", (), "What is 23 * 45?"),
)
TEMPLATE = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{% set ns = namespace(is_first_sp=true, system_prompt='') %}"
    "{% for message in messages %}{% if message['role'] == 'system' %}{% if ns.is_first_sp %}"
    "{% set ns.system_prompt = message['content'] %}{% set ns.is_first_sp = false %}{% else %}"
    "{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{% endif %}"
    "{% endif %}{% endfor %}"
    "{{ bos_token }}{{ ns.system_prompt }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}{% endif %}"
    "{% if message['role'] == 'assistant' and message['content'] is not none %}"
    "{% set content = message['content'] %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}")


def added(content):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True,
            "rstrip": False, "single_word": False}


def write_json(folder, name, value, **style):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, **(style or {"indent": 1}))
        file.write("\n")


def expected(model, coder):
    """The greedy answers of the stored weights."""
    cases, end = [], coder.specials[data.EOS]
    for system, history, question in PROMPTS:
        ids = coder.encode(data.render_prompt(system, history, question))
        out = model.generate([ids], end, 300)[0]
        with torch.no_grad():
            logits = model(torch.tensor([ids]))[0, -1]
        messages = [{"role": "system", "content": system}] if system else []
        for user, answer in history:
            messages += [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
        messages.append({"role": "user", "content": question})
        reasoning, _, answer = coder.decode(out).partition(data.THINK_END)
        cases.append({"messages": messages, "prompt_tokens": ids, "completion_tokens": out,
                      "text": coder.decode(out), "reasoning": reasoning,
                      "answer": answer.replace(data.EOS, "").strip(),
                      "first_logits": [round(v, 5) for v in logits.tolist()]})
    return {"source": "model.py in float32 on the stored weights, greedy", "cases": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", default=os.path.join(HERE, "model"))
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    saved = torch.load(options.checkpoint, map_location="cpu")
    model = Model(saved["config"])
    model.load_state_dict(saved["model"])
    weights.to_files(model, os.path.join(options.out, "model.safetensors"))
    shutil.copyfile(options.tokenizer, os.path.join(options.out, "tokenizer.json"))
    write_json(options.out, "config.json", saved["config"])
    write_json(options.out, "generation_config.json", {
        "_from_model_config": True, "bos_token_id": 0, "eos_token_id": 1, "do_sample": False,
        "temperature": 0.0, "top_p": 1.0})
    write_json(options.out, "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": added(data.BOS),
        "eos_token": added(data.EOS), "pad_token": added(data.PAD), "unk_token": None,
        "clean_up_tokenization_spaces": False, "legacy": True,
        "model_max_length": saved["config"]["max_position_embeddings"],
        "tokenizer_class": "LlamaTokenizerFast", "chat_template": TEMPLATE})
    stored = weights.from_files(Model(load_config(os.path.join(options.out, "config.json"))),
                                os.path.join(options.out, "model.safetensors")).eval()
    coder = tokenizer.Tokenizer(os.path.join(options.out, "tokenizer.json"))
    write_json(options.out, "expected.json", expected(stored, coder), separators=(",", ":"))
    count = sum(p.numel() for p in stored.parameters())
    print(f"step {saved['step']}, {saved['seen'] / 1e6:.1f} M tokens, {saved['spent'] / 60:.1f} minutes, "
          f"{saved['cpu'] / 60:.1f} CPU minutes, {count} parameters, {sum(e.stat().st_size for e in os.scandir(options.out))} bytes")


if __name__ == "__main__":
    main()
