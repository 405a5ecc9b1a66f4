"""Write the training text of the demo model: made-up stories and short questions.

Every sentence comes from the templates in plots_*.py and questions.py, filled with
the words of lexicon.py, so the text is this project's own. The output is a function
of the seed alone.

A template is plain text with
    {one|two|three}   one of the alternatives, which may nest
    [key]             the value of a key; [Key] is the same value with a capital
and "a" becomes "an" where the next word asks for it.

    python3 corpus.py --seed 1 --count 40000 --out corpus.txt

writes one document per line (newlines inside a document are written as \\n).
"""

import argparse
import random
import re

import lexicon
import plots_play
import plots_quest
import questions

PLOTS = plots_play.PLOTS + plots_quest.PLOTS

CHOICE = re.compile(r"\{([^{}]*)\}")
KEY = re.compile(r"\[([A-Za-z_]+)\]")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")


def expand(rng, text, env):
    """Resolve the choices and the keys of a template until none is left."""
    while True:
        before = text
        while "{" in text:
            text = CHOICE.sub(lambda m: rng.choice(m.group(1).split("|")), text)
        text = KEY.sub(lambda m: lookup(env, m.group(1)), text)
        if text == before:
            return ARTICLE.sub(r"\1n ", text)


def lookup(env, key):
    """Return a key's value, with a capital where the key was written with one."""
    value = env[key.lower()]
    return value[:1].upper() + value[1:] if key[0].isupper() else value


def person(rng, names, animal_share):
    """Return the words for one character: name, kind and pronouns."""
    female = rng.random() < 0.5
    words = dict(lexicon.SHE if female else lexicon.HE)
    if rng.random() < animal_share:
        species, home = rng.choice(lexicon.ANIMALS)
        words.update(being=species, home=rng.choice(home), n=rng.choice(names[words["he"]]))
    else:
        being = "girl" if female else "boy"
        words.update(being=being, home=rng.choice(lexicon.HOMES), n=rng.choice(names[being]))
    words["kind"] = f"{rng.choice(lexicon.CHARACTER)} {words['being']}"
    return words


def cast(rng, plot):
    """Choose the characters and the plot's own things for one story."""
    env = person(rng, lexicon.HEROES, plot.get("animals", 0.4))
    friend = person(rng, lexicon.FRIENDS, 0.5)
    env.update({"f" + key if key != "n" else "f": value for key, value in friend.items()})
    elder = rng.choice(lexicon.ELDERS)
    env.update(elder=f"{env['his']} {elder[0]}", **{"e" + k: v for k, v in elder[1].items()})
    env.update(rng.choice(lexicon.PLACES))
    env["color"], env["othercolor"] = rng.sample(lexicon.COLORS, 2)
    env["hobby"] = rng.choice(lexicon.HOBBIES)
    env.update((key, expand(rng, value, env)) for key, value in list(env.items()))
    for key, options in plot.get("vars", {}).items():
        picked = rng.choice(options)
        picked = picked if isinstance(picked, dict) else {key: picked}
        env.update((k, expand(rng, value, env)) for k, value in picked.items())
    return env


def story(rng, opening=None):
    """Return one story; opening None lets the generator choose how it begins."""
    plot = rng.choice(PLOTS)
    env = cast(rng, plot)
    beats = list(plot["beats"])
    if opening is None:
        opening = rng.choices(("once", "other", "direct"), (50, 25, 25))[0]
    if opening == "direct":
        env["who"] = "a [kind] named [n]"
        env["when"] = rng.choice(lexicon.DIRECT_TIMES)
        env["night"] = rng.choice(lexicon.NIGHTS)
    else:
        env["who"] = env["n"]
        env["when"] = rng.choice(lexicon.TIMES)
        env["night"] = rng.choice(lexicon.NIGHTS)
        starts = lexicon.ONCE if opening == "once" else lexicon.OTHER_STARTS
        beats.insert(0, plot.get("trait", lexicon.TRAITS))
        beats.insert(0, starts)
    sentences = (expand(rng, rng.choice(beat), env) for beat in beats)
    return env, " ".join(s for s in sentences if s)


def document(rng):
    """Return one document: a story, a request for a story, or questions."""
    roll = rng.random()
    if roll < 0.68:
        return story(rng)[1]
    if roll < 0.75:
        env, text = story(rng, "once")
        return questions.story_request(rng, env, text)
    return questions.dialogue(rng)


def main():
    parser = argparse.ArgumentParser(description="write the demo model's training text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40000, help="documents to write")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    distinct = set()
    words = 0
    with open(args.out, "w", encoding="ascii") as out:
        for _ in range(args.count):
            text = document(rng)
            distinct.add(hash(text))
            words += len(text.split())
            out.write(text.replace("\n", "\\n") + "\n")
    print(f"{args.count} documents, {len(distinct)} distinct, {words} words")


if __name__ == "__main__":
    main()
