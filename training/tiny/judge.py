"""Asks the questions of held_out.toml and says how many answers are right.

Usage: judge.py FOLDER [--quick] [--gguf FILE] [--system TEXT] [--show N]

Right is the answer of an intent that the question may have, word for word. With --gguf the answers of the file, run by
NumPy (or with --llamacpp by llama.cpp), are compared with the trainer's too.
"""

import argparse
import random
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import torch

from build_text import Talk
from chat import END_ID, Form, loaded
from model import Shape, Tiny
from phrases import Text

DRAWS = 3_000
"""Questions of each intent that held-out ones are compared with."""
QUICK = 20
"""Tokens that tell an answer from all others."""
FILE = Path(__file__).resolve().parent / "held_out.toml"


def questions() -> list[tuple[list[str], str]]:
    """Names of intents that are right, and the question."""
    read = []
    for line in tomllib.loads(FILE.read_text(encoding="utf-8"))["questions"].strip().splitlines():
        names, _, asked = line.partition(" | ")
        read.append(([one.strip() for one in names.split(",")], asked.strip()))
    return read


def unseen(asked: list[tuple[list[str], str]], text: Text) -> list[tuple[list[str], str]]:
    """Those that the generator does not make, as far as many draws show."""
    talk = Talk(text, 99)
    made = {name: {plain(talk.bare(text.intents[name])) for _ in range(DRAWS)} for good, _ in asked for name in good}
    return [(good, question) for good, question in asked if not any(plain(question) in made[name] for name in good)]


def plain(question: str) -> str:
    """Without case and marks."""
    return " ".join(re.findall(r"[a-z0-9_.']+", question.lower())).rstrip(".")


def model_of(folder: Path) -> Tiny:
    """The model of a checkpoint."""
    kept = torch.load(folder / "checkpoint.pt", weights_only=True)
    model = Tiny(Shape(**kept["shape"]))
    model.load_state_dict(kept["weights"])
    return model


def other(given: argparse.Namespace) -> Callable[[list[int], list[int]], bool] | None:
    """Whether the GGUF file says the same after a prompt."""
    if given.gguf is None:
        return None
    if not given.llamacpp:
        from reader import Reader

        return Reader(given.gguf).says
    from llama_cpp import Llama

    llama = Llama(str(given.gguf), n_ctx=2048, verbose=False, n_threads=2)

    def says(prompt: list[int], said: list[int]) -> bool:
        llama.reset()
        drawn = llama.generate(prompt, temp=0.0, repeat_penalty=1.0)
        return all(token == wanted for token, wanted in zip(drawn, said, strict=False))

    return says


def main() -> None:
    """Ask, and count."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("--gguf", type=Path)
    wanted.add_argument("--llamacpp", action="store_true")
    wanted.add_argument("--system")
    wanted.add_argument("--show", type=int, default=0, help="so many answers by chance, to be read")
    wanted.add_argument("--quick", action="store_true", help="only the beginning of each answer")
    given = wanted.parse_args()
    torch.set_num_threads(1)
    text = Text()
    names = {one.answer: one.name for one in text.intents.values()}
    tokenizer = loaded(given.folder / "tokenizer.json")
    form, model, says = Form(tokenizer), model_of(given.folder), other(given)
    right = garbled = equal = 0
    every = questions()
    asked = unseen(every, text)
    for _, question in every:
        if all(question != other for _, other in asked):
            print(f"  left out, because the text has it: {question}")
    told = []
    for good, question in asked:
        turns = [("user", question)]
        if given.system:
            turns.insert(0, ("system", given.system))
        prompt = form.prompt(turns)
        said = model.answer(prompt, END_ID, QUICK if given.quick else 120)
        equal += says is not None and says(prompt, said if given.quick else [*said, END_ID])
        answer = tokenizer.decode(said)
        if given.quick:
            answer = next((whole for whole in names if whole.startswith(answer)), answer)
        meant = names.get(answer)
        garbled += meant is None
        right += meant in good
        told.append((question, answer))
        if meant not in good:
            print(f"  {question}\n      wanted {', '.join(good)}; got {meant or repr(answer)}")
    for question, answer in random.Random(7).sample(told, min(given.show, len(told))):
        print(f"? {question}\n  {answer}")
    outside = sum("outside" in good for good, _ in asked)
    print(f"{right} of {len(asked)} right ({right / len(asked):.1%}); {garbled} are no known answer; {outside} are about something else")
    if says is not None:
        print(f"{equal} of {len(asked)} answers of the file are the trainer's, token for token")


if __name__ == "__main__":
    main()
