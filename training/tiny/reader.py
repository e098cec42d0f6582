"""Reads the GGUF file back and runs it with NumPy, as a check that does not share the trainer's code."""

from pathlib import Path

import gguf
import numpy as np


class Reader:
    """A llama model out of a GGUF file: one sequence, the likeliest token each time."""

    def __init__(self, file: Path) -> None:
        read = gguf.GGUFReader(str(file))
        self.weights = {one.name: gguf.quants.dequantize(one.data, one.tensor_type).astype(np.float32) for one in read.tensors}
        self.fields = {name: field.contents() for name, field in read.fields.items()}
        self.layers = self.fields["llama.block_count"]
        self.heads = self.fields["llama.attention.head_count"]
        self.kv_heads = self.fields["llama.attention.head_count_kv"]
        self.epsilon = self.fields["llama.attention.layer_norm_rms_epsilon"]
        width = self.fields["llama.rope.dimension_count"]
        self.rates = self.fields["llama.rope.freq_base"] ** (-np.arange(0, width, 2, dtype=np.float32) / width)

    def answer(self, prompt: list[int], end: int, most: int = 120) -> list[int]:
        """The likeliest tokens after `prompt`."""
        past: list[tuple[np.ndarray, np.ndarray]] = []
        said: list[int] = []
        tokens, place = prompt, 0
        while len(said) < most:
            token = int(self._step(tokens, place, past).argmax())
            place += len(tokens)
            if token == end:
                break
            said.append(token)
            tokens = [token]
        return said

    def _step(self, tokens: list[int], place: int, past: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        w = self.weights
        x = w["token_embd.weight"][tokens]
        angles = (place + np.arange(len(tokens), dtype=np.float32))[:, None] * self.rates
        for number in range(self.layers):
            name = f"blk.{number}."
            h = self._norm(x, w[name + "attn_norm.weight"])
            q = self._turned(self._heads(h @ w[name + "attn_q.weight"].T, self.heads), angles)
            k = self._turned(self._heads(h @ w[name + "attn_k.weight"].T, self.kv_heads), angles)
            v = self._heads(h @ w[name + "attn_v.weight"].T, self.kv_heads)
            if number < len(past):
                k, v = np.concatenate((past[number][0], k), 1), np.concatenate((past[number][1], v), 1)
                past[number] = (k, v)
            else:
                past.append((k, v))
            groups = self.heads // self.kv_heads
            k, v = k.repeat(groups, 0), v.repeat(groups, 0)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            scores += np.triu(np.full((len(tokens), k.shape[1]), -np.inf), k.shape[1] - len(tokens) + 1)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            seen = (scores / scores.sum(-1, keepdims=True)) @ v
            x = x + seen.transpose(1, 0, 2).reshape(len(tokens), -1) @ w[name + "attn_output.weight"].T
            h = self._norm(x, w[name + "ffn_norm.weight"])
            gate = h @ w[name + "ffn_gate.weight"].T
            gate = gate / (1 + np.exp(-gate))
            x = x + (gate * (h @ w[name + "ffn_up.weight"].T)) @ w[name + "ffn_down.weight"].T
        return self._norm(x[-1], w["output_norm.weight"]) @ w["token_embd.weight"].T

    def _norm(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * weight

    @staticmethod
    def _heads(y: np.ndarray, count: int) -> np.ndarray:
        return y.reshape(len(y), count, -1).transpose(1, 0, 2)

    @staticmethod
    def _turned(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
        even, odd, cos, sin = x[..., 0::2], x[..., 1::2], np.cos(angles), np.sin(angles)
        return np.stack((even * cos - odd * sin, even * sin + odd * cos), -1).reshape(x.shape).astype(np.float32)
