"""safetensors in and out, and the names DeepSeek gives its tensors.

`read` and `write` know the file format (8-byte little-endian header length, JSON header, raw data)
for F32 and BF16. `to_files` and `from_files` map between Model's stacked parameters and the
per-expert tensors of a Hugging Face `deepseek_v3` folder.
"""
import json
import struct

import torch

KINDS = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def read(path):
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=KINDS[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).float()
    return tensors


def write(path, tensors):
    """Stores matrices as bfloat16 and vectors (norms, router bias) as float32."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in sorted(tensors.items()):
        matrix = tensor.dim() > 1
        raw = tensor.to(torch.bfloat16 if matrix else torch.float32).contiguous()
        blob = bytes(raw.view(torch.int16 if matrix else torch.int32).numpy().tobytes())
        header[name] = {"dtype": "BF16" if matrix else "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def mlp_views(mlp, prefix):
    yield prefix + "gate_proj.weight", mlp.gate_up[0]
    yield prefix + "up_proj.weight", mlp.gate_up[1]
    yield prefix + "down_proj.weight", mlp.down


def views(model):
    """Pairs (tensor name, view of the model's storage): one list serves reading and writing."""
    yield "model.embed_tokens.weight", model.embed
    yield "model.norm.weight", model.norm.weight
    yield "lm_head.weight", model.head
    for index, layer in enumerate(model.layers):
        base = f"model.layers.{index}."
        yield base + "input_layernorm.weight", layer.attention_norm.weight
        yield base + "post_attention_layernorm.weight", layer.mlp_norm.weight
        at, a = base + "self_attn.", layer.attention
        if hasattr(a, "q_a"):
            yield at + "q_a_proj.weight", a.q_a
            yield at + "q_a_layernorm.weight", a.q_norm.weight
            yield at + "q_b_proj.weight", a.q_b
        else:
            yield at + "q_proj.weight", a.q_b
        yield at + "kv_a_proj_with_mqa.weight", a.kv_a
        yield at + "kv_a_layernorm.weight", a.kv_norm.weight
        yield at + "kv_b_proj.weight", a.kv_b
        yield at + "o_proj.weight", a.o
        at, m = base + "mlp.", layer.mlp
        if not hasattr(m, "router"):
            yield from mlp_views(m, at)
            continue
        yield at + "gate.weight", m.router
        yield at + "gate.e_score_correction_bias", m.bias
        for expert in range(m.experts):
            name = f"{at}experts.{expert}."
            yield name + "gate_proj.weight", m.gate_up[0, expert]
            yield name + "up_proj.weight", m.gate_up[1, expert]
            yield name + "down_proj.weight", m.down[expert]
        if m.shared is not None:
            yield from mlp_views(m.shared, at + "shared_experts.")


def to_files(model, path):
    write(path, {name: view.detach() for name, view in views(model)})


@torch.no_grad()
def from_files(model, path):
    tensors = read(path)
    for name, view in views(model):
        view.copy_(tensors.pop(name))
    if tensors:
        raise ValueError(f"{path}: unexpected tensors: {', '.join(sorted(tensors)[:5])}")
    return model
