"""The form of a conversation in tokens, and the tokenizer: byte-level BPE in GPT-2's way, trained on the generated text."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from build_text import Talk, Turn
from phrases import Text

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
START_ID, END_ID = 1, 2
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
VOCABULARY = 2048
SAMPLES = 40_000


def trained(text: Text, seed: int) -> Tokenizer:
    """A tokenizer whose merges fit the conversations of `seed`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    drawn = Talk(text, seed).conversations()
    lines = (said for _ in range(SAMPLES) for _, said in next(drawn))
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def loaded(file: Path, *, dropout: float | None = None) -> Tokenizer:
    """The tokenizer of a file. With `dropout` it leaves out merges by chance, so that no spelling is relied upon."""
    tokenizer = Tokenizer.from_file(str(file))
    if dropout is not None:
        tokenizer.model.dropout = dropout
    return tokenizer


class Form:
    """Writes conversations as tokens."""

    def __init__(self, exact: Tokenizer, blurred: Tokenizer | None = None) -> None:
        self._exact, self._blurred = exact, blurred or exact
        self._known: dict[str, list[int]] = {}
        self.newline = exact.encode("\n").ids
        self.ask = [START_ID, *exact.encode("assistant\n").ids]

    def _answer(self, said: str) -> list[int]:
        if said not in self._known:
            self._known[said] = self._exact.encode(said).ids
        return self._known[said]

    def heard(self, role: str, said: str, *, blurred: bool = False) -> list[int]:
        """What somebody else said."""
        tokenizer = self._blurred if blurred else self._exact
        return [START_ID, *tokenizer.encode(f"{role}\n{said.strip()}").ids, END_ID, *self.newline]

    def prompt(self, turns: list[Turn]) -> list[int]:
        """A conversation that is to be gone on with."""
        return [token for role, said in turns for token in self.heard(role, said)] + self.ask

    def lesson(self, turns: list[Turn], *, blurred: bool, cut: int | None) -> tuple[list[int], list[bool]]:
        """Tokens, and which of them are to be learned: the answers. The last one may be cut, which saves time."""
        tokens: list[int] = []
        learned: list[bool] = []
        for number, (role, said) in enumerate(turns):
            if role != "assistant":
                heard = self.heard(role, said, blurred=blurred)
                tokens += heard
                learned += [False] * len(heard)
                continue
            answer = [*self._answer(said), END_ID]
            if number + 1 < len(turns):
                answer += self.newline
            elif cut is not None:
                answer = answer[:cut]
            tokens += self.ask + answer
            learned += [False] * len(self.ask) + [True] * len(answer)
        return tokens, learned


def main() -> None:
    """Train the tokenizer and write it to `tokenizer.json` in the folder that is named."""
    import sys

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    trained(Text(), 1).save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
