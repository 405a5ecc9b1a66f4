"""Train the demo model from scratch on the CPU: a llama of about 1.2 million parameters.

The rotary embedding turns the pairs (2i, 2i+1) of each head, as the GGUF architecture
"llama" has it, so that export.py writes the matrices as they are. One row of a batch is
one document, from <s> to </s>, so attention never leaves its document. The order of the
documents and the first weights depend on the seed alone; a run that was interrupted
goes on from its last checkpoint.

    python3 train.py --corpus corpus.txt --tokenizer tokenizer.json --out model.pt
"""

import argparse
import concurrent.futures
import math
import os
import random
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F
from torch import nn

from tokenizer import BOS, EOS, Tokenizer, documents

CONFIG = {"vocab": 2048, "dim": 128, "layers": 5, "heads": 4, "kv_heads": 2, "ffn": 384,
          "context": 512, "eps": 1e-5, "rope_base": 10000.0}
HELD_OUT = 256
WORKERS = 2
IGNORE = -100


class Norm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x, angles):
    """Turn the pairs (2i, 2i+1) of the last dimension of x: [batch, time, head, dim]."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * angles[:, None, :]).flatten(-2)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["heads"], c["kv_heads"]
        self.head_dim = c["dim"] // c["heads"]
        kv_dim = self.kv_heads * self.head_dim
        self.attn_norm = Norm(c["dim"], c["eps"])
        self.attn_q = nn.Linear(c["dim"], c["dim"], bias=False)
        self.attn_k = nn.Linear(c["dim"], kv_dim, bias=False)
        self.attn_v = nn.Linear(c["dim"], kv_dim, bias=False)
        self.attn_output = nn.Linear(c["dim"], c["dim"], bias=False)
        self.ffn_norm = Norm(c["dim"], c["eps"])
        self.ffn_gate = nn.Linear(c["dim"], c["ffn"], bias=False)
        self.ffn_up = nn.Linear(c["dim"], c["ffn"], bias=False)
        self.ffn_down = nn.Linear(c["ffn"], c["dim"], bias=False)

    def forward(self, x, angles, mask):
        batch, steps, dim = x.shape
        h = self.attn_norm(x)
        q = rotate(self.attn_q(h).view(batch, steps, self.heads, self.head_dim), angles)
        k = rotate(self.attn_k(h).view(batch, steps, self.kv_heads, self.head_dim), angles)
        v = self.attn_v(h).view(batch, steps, self.kv_heads, self.head_dim)
        group = self.heads // self.kv_heads
        q = q.transpose(1, 2)
        k = k.transpose(1, 2).repeat_interleave(group, 1)
        v = v.transpose(1, 2).repeat_interleave(group, 1)
        scores = q @ k.transpose(-1, -2) * self.head_dim ** -0.5 + mask
        h = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, steps, dim)
        x = x + self.attn_output(h)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.token_embd = nn.Embedding(c["vocab"], c["dim"])
        self.blk = nn.ModuleList(Layer(c) for _ in range(c["layers"]))
        self.output_norm = Norm(c["dim"], c["eps"])
        head_dim = c["dim"] // c["heads"]
        rates = c["rope_base"] ** (-torch.arange(0, head_dim, 2) / head_dim)
        turns = torch.outer(torch.arange(c["context"]).float(), rates)
        self.register_buffer("angles", torch.polar(torch.ones_like(turns), turns), persistent=False)
        # The embedding starts large enough to keep words apart that share a role.
        nn.init.normal_(self.token_embd.weight, std=0.1)
        for name, weight in self.blk.named_parameters():
            if weight.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                scale = 1 / math.sqrt(2 * c["layers"]) if last else 1.0
                nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))

    def forward(self, tokens):
        steps = tokens.shape[1]
        mask = torch.full((steps, steps), float("-inf")).triu(1)
        x = self.token_embd(tokens)
        for layer in self.blk:
            x = layer(x, self.angles[:steps], mask)
        return self.output_norm(x) @ self.token_embd.weight.T


def batches(texts, rows, rng):
    """Cut the documents into batches of similar length, in a shuffled order."""
    texts = rng.sample(texts, len(texts))
    out = []
    for start in range(0, len(texts), 16 * rows):
        window = sorted(texts[start:start + 16 * rows], key=len)
        out += [window[at:at + rows] for at in range(0, len(window), rows)]
    rng.shuffle(out)
    return out


def tensors(batch):
    """Return a batch as padded inputs and targets."""
    steps = max(map(len, batch)) - 1
    inputs = torch.full((len(batch), steps), EOS)
    targets = torch.full((len(batch), steps), IGNORE)
    for row, text in enumerate(batch):
        inputs[row, :len(text) - 1] = torch.tensor(text[:-1])
        targets[row, :len(text) - 1] = torch.tensor(text[1:])
    return inputs, targets


def batch_loss(model, batch):
    """Return the sum of the loss over a batch's tokens."""
    inputs, targets = tensors(batch)
    logits = model(inputs).flatten(0, 1)
    return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, reduction="sum")


def gradients(model, batch, pool):
    """Leave the mean gradient of a batch in the parameters; return the mean loss.

    Each worker takes a share of the rows; the shares are added in a fixed order.
    """
    params = list(model.parameters())

    def share(rows):
        loss = batch_loss(model, rows)
        return loss.item(), torch.autograd.grad(loss, params)

    count = sum(len(text) - 1 for text in batch)
    shares = list(pool.map(share, [batch[at::WORKERS] for at in range(WORKERS)]))
    for param, *parts in zip(params, *(grads for _, grads in shares)):
        param.grad = sum(parts) / count
    return sum(loss for loss, _ in shares) / count


def held_out_loss(model, held_out):
    """Return the mean loss over the documents that training does not see."""
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(held_out), 32):
            batch = held_out[start:start + 32]
            total += batch_loss(model, batch).item()
            count += sum(len(text) - 1 for text in batch)
    return total / count


def learning_rate(step, steps, peak, warmup=100):
    """Rise in a line over the warm-up, then fall along a cosine to a fiftieth."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))


def optimizer_of(model, args):
    matrices = [p for p in model.blk.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1] + [model.token_embd.weight]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.95))


def save(path, **state):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description="train the demo model")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--rows", type=int, default=12, help="documents in a batch")
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.load(args.tokenizer)
    texts = [[BOS] + tokenizer.encode(text) + [EOS] for text in documents(args.corpus)]
    texts = [text for text in texts if len(text) <= CONFIG["context"]]
    held_out, texts = texts[:HELD_OUT], texts[HELD_OUT:]
    rng = random.Random(args.seed)
    plan = []
    while len(plan) < args.steps:
        plan += batches(texts, args.rows, rng)

    model = Llama(CONFIG)
    optimizer = optimizer_of(model, args)
    first = 0
    if os.path.exists(args.out):
        state = torch.load(args.out)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    count = sum(p.numel() for p in model.parameters())
    print(f"{count} parameters, {len(texts)} documents, from step {first}", flush=True)

    pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
    start, seen, shown = time.time(), 0, 0.0
    for step in range(first, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.rate)
        loss = gradients(model, plan[step], pool)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += sum(map(len, plan[step]))
        shown += loss / 20
        if (step + 1) % 20 == 0:
            spent = time.time() - start
            print(f"step {step + 1} loss {shown:.4f} minutes {spent / 60:.1f} "
                  f"tokens/s {seen / spent:.0f}", flush=True)
            shown = 0.0
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            print(f"step {step + 1} held-out loss {held_out_loss(model, held_out):.4f}", flush=True)
            save(args.out, model=model.state_dict(), step=step + 1, config=CONFIG,
                 optimizer=optimizer.state_dict())


if __name__ == "__main__":
    main()
