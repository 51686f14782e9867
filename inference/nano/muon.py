"""Muon for the hidden matrices: momentum, then the update is made orthogonal by Newton-Schulz.

Parameters may carry leading dimensions (stacked experts); each matrix is treated by itself.
Matrices of one shape are stacked so that a step is a few batched products (bfloat16).
"""
import collections

import torch


def orthogonal(stack, steps=5):
    """Nearest semi-orthogonal matrices, roughly: singular values end within about [0.7, 1.2]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack / (stack.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = (x.transpose(1, 2) if tall else x).to(torch.bfloat16).contiguous()
    for _ in range(steps):
        square = torch.bmm(x, x.transpose(1, 2))
        x = a * x + torch.bmm(b * square + c * torch.bmm(square, square), x)
    return (x.transpose(1, 2) if tall else x).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0.95, decay=0.0):
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = collections.defaultdict(list)
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                buffer = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"])
                shapes[p.shape[-2:]].append((p, update.reshape(-1, *p.shape[-2:])))
            for (rows, columns), entries in shapes.items():
                updates = orthogonal(torch.cat([u for _, u in entries]))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                at = 0
                for p, u in entries:
                    p.mul_(1 - group["lr"] * group["decay"])
                    p.sub_(updates[at:at + len(u)].view_as(p), alpha=scale)
                    at += len(u)
