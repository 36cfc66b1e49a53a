#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes the sample checkpoints of this directory, base/ and fine-tune/.

Everything is made here, from nothing but a seed:

  1. a small grammar tells short stories (there is no outside text);
  2. a byte-level BPE tokenizer is trained on them;
  3. a small language model of the Llama architecture is trained on them in
     F32, rounded to BF16 and written as base/;
  4. base/ is read back and trained a little more on stories in another tone
     (set at sea, asking questions), and that is written as fine-tune/.

The same PyTorch and BLAS on the same kind of processor repeat the training;
elsewhere sums are rounded otherwise, and the models differ a little.

The files are laid out as the Hugging Face libraries lay theirs out, so that
what reads an ordinary checkpoint reads these.  Needs PyTorch and NumPy only
(Debian 12: python3-torch, and libopenblas0: its plain BLAS is far slower).

    python3 train.py                # about 25 minutes, one core
    python3 train.py --out DIR      # leave the files here alone
    python3 train.py --stories 5    # only print some training stories
    python3 train.py --check        # only read the files back and use them
    python3 train.py --chain DIR    # only the second training, kept every 150
                                    # steps: five checkpoints with base/
"""

import argparse
import json
import math
import random
import re
import struct
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

# --------------------------------------------------------------------------
# 1. The stories
# --------------------------------------------------------------------------
#
# A world is a set of tables.  A plot is a function that draws what it needs
# from a world, then tells a beginning, a cause, a consequence and an ending.
# Within a story the names, pronouns, things and places have to agree, and
# what happens has to follow from what went before: that is what the model
# is there to learn.

SHE, HE = ("she", "her", "her"), ("he", "him", "his")

NAMES = [("Anwen", SHE), ("Bolo", HE), ("Cressa", SHE), ("Dobbin", HE),
         ("Elska", SHE), ("Farro", HE), ("Gilda", SHE), ("Hobb", HE),
         ("Ivy", SHE), ("Jorin", HE), ("Kesta", SHE), ("Lubo", HE),
         ("Mirri", SHE), ("Nettle", SHE), ("Osk", HE), ("Pella", SHE),
         ("Quill", HE), ("Rowan", HE), ("Sunna", SHE), ("Tam", HE)]

LAND = {
    "kinds": ["fox", "hare", "mole", "badger", "hedgehog", "squirrel",
              "goat", "goose", "mouse", "toad", "owl", "dormouse"],
    "traits": ["little", "young", "quiet", "clever", "cheerful", "busy",
               "shy", "round", "old", "curious"],
    # place: two spots in it where a thing can hide
    "places": {
        "the mill": ["under the water wheel", "behind the flour sacks"],
        "the orchard": ["among the fallen apples", "beside the old ladder"],
        "the meadow": ["in the long grass", "under a clump of clover"],
        "the market": ["beneath the cheese stall", "next to the bread cart"],
        "the barn": ["under a pile of hay", "behind the milk cans"],
        "the forest": ["between two mossy roots", "inside a hollow log"],
        "the garden": ["among the bean poles", "under a cabbage leaf"],
        "the bridge": ["between two flat stones", "in the reeds below"],
        "the hill": ["behind the tallest rock", "under a thorn bush"],
    },
    # a small treasure: how it goes missing
    "treasures": {
        "silver key": "slipped through a hole in {his} pocket",
        "red button": "came off its thread",
        "wooden whistle": "fell out of {his} bag",
        "brass bell": "came loose from its ribbon",
        "blue marble": "rolled away down the path",
        "woollen scarf": "was caught by the wind",
        "paper lantern": "was blown off its hook",
        "clay cup": "was left behind at lunch",
    },
    # something to mend: what breaks it, what mends it, what it is good for
    "mendables": {
        "kite": ("a gust of wind tore it", "paper and glue",
                 "it flew higher than the trees"),
        "cart": ("a stone cracked its wheel", "a plank and four nails",
                 "it rolled as smoothly as before"),
        "gate": ("the storm pulled it off its hinges", "a bolt and some oil",
                 "it opened without a squeak"),
        "drum": ("a falling branch split its skin", "leather and string",
                 "it boomed across the valley"),
        "roof": ("the heavy snow pushed it in", "straw and mud",
                 "not one drop came through"),
        "basket": ("the weight of the pears broke it", "willow twigs",
                   "it held twice as much"),
    },
    "foods": ["honey cakes", "roasted nuts", "plum jam", "barley bread",
              "carrot soup", "warm chestnuts", "apple pie", "goat cheese"],
    # a fright: what it sounded or looked like, and what it was in the end
    "frights": {
        "a tall shadow on the wall": "only a coat on a nail",
        "two yellow eyes in the dark": "only a pair of lamps",
        "a long moan behind the door": "only the wind in the chimney",
        "a tapping at the window": "only a twig in the breeze",
        "a heavy step on the stairs": "only the cat coming down",
        "a white shape in the mist": "only a sheet on the line",
    },
    # to build: what fails, why, what holds
    "buildings": {
        "a bridge over the stream": ("straw", "it sank", "thick logs"),
        "a house for the winter": ("leaves", "the wind blew them away",
                                   "bricks"),
        "a wall around the garden": ("snow", "it melted in the sun",
                                     "grey stones"),
        "a bench by the pond": ("reeds", "they bent under the first guest",
                                "oak boards"),
        "a tower to see the sunrise": ("sand", "it slid to one side",
                                       "square stones"),
    },
    "trouble": ["the river had flooded {his} burrow",
                "the frost had spoiled {his} seeds",
                "a storm had carried off {his} roof",
                "the well had run dry"],
    "precious": ["blue vase", "painted plate", "tall mirror", "glass jar",
                 "clay pot"],
    "owners": ["grandmother", "aunt", "teacher", "neighbour"],
    "mornings": ["One bright morning", "One rainy morning",
                 "One cold morning", "Early in spring", "Late in autumn",
                 "On the first day of summer", "On a windy day",
                 "The day after the fair"],
}

SEA = {
    "kinds": ["seal", "gull", "crab", "otter", "whale", "puffin", "turtle",
              "pelican"],
    "traits": ["brave", "salty", "young", "sleepy", "curious", "cheerful",
               "old", "quiet"],
    "places": {
        "the harbour": ["under a coil of rope", "behind the fish crates"],
        "the island": ["in the white sand", "between two palm trees"],
        "the lighthouse": ["on the winding stair", "beside the great lamp"],
        "the old ship": ["inside an empty barrel", "under the torn sail"],
        "the beach": ["beneath a pink shell", "among the seaweed"],
        "the reef": ["between two corals", "under a sleeping starfish"],
    },
    "treasures": {
        "pearl": "slipped through a hole in {his} pocket",
        "compass": "slid across the wet deck",
        "spyglass": "fell out of {his} bag",
        "golden anchor": "came loose from its chain",
        "captain's hat": "was caught by the wind",
    },
    "mendables": {
        "sail": ("the storm tore it", "canvas and thread",
                 "it pulled the boat along"),
        "raft": ("a wave broke it in two", "rope and driftwood",
                 "it floated like a cork"),
        "net": ("a swordfish cut it", "twine and patience",
                "it held a hundred herrings"),
        "oar": ("a rock cracked it", "tar and string",
                "it pushed through every wave"),
    },
    "foods": ["oyster stew", "seaweed soup", "salted herring",
              "ship's biscuits", "coconut cake"],
    "frights": {
        "a dark fin in the water": "only a floating plank",
        "a low song under the waves": "only the tide in a cave",
        "a green light on the mast": "only a lantern in the fog",
        "a knocking on the hull": "only an empty barrel",
    },
    "buildings": {
        "a boat to cross the bay": ("paper", "it drank the water",
                                    "cedar boards"),
        "a wall against the tide": ("sand", "the waves took it",
                                    "heavy rocks"),
        "a tower for the lamp": ("shells", "they slid apart", "iron bars"),
    },
    "trouble": ["a wave had swept away {his} hut",
                "the tide had taken {his} boat",
                "the fog had hidden the way home"],
    "precious": ["ship's bell", "glass bottle", "brass lamp"],
    "owners": ["captain", "aunt", "cook"],
    "mornings": ["At high tide", "At low tide", "One foggy morning",
                 "One stormy evening", "On a calm blue day",
                 "Far out at sea"],
}


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def upper_first(text):
    return text[0].upper() + text[1:]


class Teller:
    """Draws from a world and collects the sentences of one story."""

    def __init__(self, rng, world):
        self.rng, self.world, self.sentences = rng, world, []
        (hero, pronouns), (friend, friend_pronouns) = rng.sample(NAMES, 2)
        kind, friend_kind = rng.sample(world["kinds"], 2)
        self.words = {
            "hero": hero, "kind": kind,
            "a_kind": article(f"{rng.choice(world['traits'])} {kind}"),
            "he": pronouns[0], "him": pronouns[1], "his": pronouns[2],
            "He": upper_first(pronouns[0]), "His": upper_first(pronouns[2]),
            "friend": friend, "a_friend_kind": article(friend_kind),
            "friend_kind": friend_kind,
            "fhe": friend_pronouns[0], "fhim": friend_pronouns[1],
            "fhis": friend_pronouns[2], "Fhe": upper_first(friend_pronouns[0]),
        }

    def pick(self, table, name):
        """Draws an entry of a table; `name` becomes a word of the story.
        Returns what the table says about it."""
        entries = self.world[table]
        key = self.rng.choice(list(entries))
        self.words[name] = key
        return entries[key] if isinstance(entries, dict) else None

    def set(self, **words):
        for name, text in words.items():
            self.words[name] = text.format(**self.words)

    def say(self, *ways):
        """Tells one step of the story in one of several ways."""
        text = self.rng.choice(ways).format(**self.words)
        self.sentences.append(upper_first(text))

    def maybe(self, *ways):
        if self.rng.random() < 0.5:
            self.say(*ways)

    def begin(self):
        """Where, and who."""
        self.pick("mornings", "morning")
        spots = self.pick("places", "place")
        self.words["spot"], self.words["other_spot"] = self.rng.sample(spots, 2)
        self.say("{hero} was {a_kind} who lived near {place}.",
                 "There once was {a_kind} called {hero}.",
                 "Near {place} lived {a_kind} named {hero}.",
                 "Once upon a time, {a_kind} named {hero} lived by {place}.")

    def text(self):
        return " ".join(self.sentences)


def plot_lost(t):
    how = t.pick("treasures", "thing")
    t.set(how=how)
    t.say("{hero} had a {thing} and loved it more than anything.",
          "{His} dearest treasure was a {thing}.",
          "Wherever {he} went, {he} carried a {thing}.")
    t.say("{morning}, {he} went to {place}, and there the {thing} {how}.",
          "{morning}, on the way to {place}, the {thing} {how}.")
    t.say("When {hero} noticed, {he} began to cry.",
          "When {he} saw that it was gone, {hero} felt very sad.",
          "{hero} searched {his} pockets twice, but it was gone.")
    t.say("{He} looked {other_spot}, but the {thing} was not there.",
          "First {he} searched {other_spot} and found nothing.")
    t.say("Then {friend} the {friend_kind} came by and asked what was wrong.",
          "{friend}, {a_friend_kind}, heard {him} and came to help.")
    t.say('"I saw something {spot}," said {friend}.',
          '"Have you tried {spot}?" asked {friend}.',
          '"Let us look {spot}," {fhe} said.')
    t.say("They ran to look, and there lay the {thing}.",
          "And there it was, the {thing}, safe and dry.")
    t.say("{hero} thanked {friend} and never lost the {thing} again.",
          "From then on, {hero} tied the {thing} to {his} belt.",
          "{hero} laughed, and {he} hugged {friend} the {friend_kind}.")


def plot_mend(t):
    breaks, stuff, works = t.pick("mendables", "thing")
    t.set(breaks=breaks, stuff=stuff, works=works)
    t.say("{He} had made a {thing} with {his} own hands.",
          "{hero} was proud of {his} {thing}.",
          "{His} {thing} was the best in the land.")
    t.say("{morning}, {breaks}.",
          "But {morning_lower}, {breaks}.")
    t.say("{hero} looked at the broken {thing} and was angry.",
          '"Now it is useless," said {hero}.',
          "{hero} sat down beside the {thing} and sighed.")
    t.say("{friend} the {friend_kind} shook {fhis} head and said, "
          '"What is broken can be mended."',
          '"Do not give up," said {friend} the {friend_kind}.')
    t.say("{Fhe} brought {stuff} from {place}, and they worked until evening.",
          "They found {stuff} at {place} and set to work.",
          "So they went to {place} for {stuff} and worked side by side.")
    t.say("When the {thing} was mended, {works}.",
          "At last the {thing} was whole again, and {works}.")
    t.say('"Two pairs of hands are better than one," said {hero}.',
          "{hero} was happy, and {he} let {friend} use it first.",
          "{hero} promised to help {friend} the next time.")


def plot_share(t):
    t.pick("foods", "food")
    t.pick("foods", "other_food")
    while t.words["other_food"] == t.words["food"]:
        t.pick("foods", "other_food")
    t.set(trouble=t.rng.choice(t.world["trouble"]).replace("{his}", "{fhis}"))
    t.say("{morning}, {he} packed some {food} and walked to {place}.",
          "{morning}, {he} was on the way to {place} with some {food}.")
    t.say("On the path sat {friend}, {a_friend_kind}, hungry and cold.",
          "There {he} met {friend} the {friend_kind}, who looked hungry.")
    t.say("{friend} had nothing to eat, because {trouble}.",
          '{Fhe} told {him} that {trouble}.')
    t.maybe("{hero} thought of {his} own empty stomach.",
            "{hero} was hungry too, but {he} did not wait.")
    t.say("{hero} gave {friend} half of the {food}.",
          '"Take half of my {food}," said {hero}.',
          "So {hero} shared the {food} with {friend}.")
    t.say("They ate together, and {friend} felt strong again.",
          "{friend} ate every crumb and smiled.")
    t.say("When winter came, it was {hero} who had nothing left.",
          "A year later, {hero} fell ill and could not cook.")
    t.say("Then {friend} knocked at the door with {other_food}.",
          "But {friend} had not forgotten, and brought {him} {other_food}.")
    t.say("A kindness always finds its way home.",
          "And so both of them learned to share.",
          "They have been friends ever since.")


def plot_fright(t):
    truth = t.pick("frights", "fright")
    t.set(truth=truth)
    t.say("{hero} was afraid of the dark.",
          "{hero} never went out after sunset.",
          "At night {he} always kept a candle burning.")
    t.say("One night, at {place}, {he} noticed {fright}.",
          "One night there was {fright}, close to {place}.")
    t.say("{His} knees shook, and {he} hid under a blanket.",
          "{hero} held {his} breath and did not move.",
          '"Is it a monster?" whispered {hero}.')
    t.say("But {friend} the {friend_kind} was out there alone.",
          "But then {he} heard {friend} the {friend_kind} call for help.")
    t.say("So {hero} took a lamp and went to look.",
          "{hero} took one deep breath and went on, step by step.")
    t.say("It was {truth}.",
          "And what was it? It was {truth}.")
    t.say("{hero} and {friend} laughed until the sun came up.",
          '"How big a small thing looks at night," said {friend}.')
    t.say("After that, {hero} was not afraid any more.",
          "From that night on, {he} slept without a candle.")


def plot_build(t):
    weak, fails, strong = t.pick("buildings", "work")
    t.set(weak=weak, fails=fails, strong=strong)
    t.say("{morning}, {he} decided to build {work}.",
          "{hero} wanted to build {work}.")
    t.say("Because {he} was in a hurry, {he} used {weak}.",
          "{He} was lazy that day, so {he} took {weak}, which was easy to find.")
    t.say('"That will not hold," said {friend} the {friend_kind}.',
          "{friend}, {a_friend_kind}, warned {him}, but {he} did not listen.")
    t.say("{friend} was right, for soon {fails}.",
          "The very next day, {fails}.")
    t.say("{hero} was ashamed and asked {friend} for advice.",
          '"I should have listened," said {hero}.')
    t.say("Together they carried {strong} from {place}.",
          "This time they took {strong} from {place}, and they took their time.")
    t.say("It was slow work, but it stood firm.",
          "They worked for seven days, and nothing could shake it.")
    t.say("It stands there to this day.",
          "{hero} learned that good work takes time.",
          "Everyone came to admire it.")


def plot_truth(t):
    t.pick("precious", "thing")
    t.pick("owners", "owner")
    t.say("{morning}, {hero} was playing ball near {place}.",
          "{morning}, {he} was dancing around the room.")
    t.say("By accident, {he} knocked over the {thing} of {his} {owner}.",
          "{He} bumped into the {thing} that belonged to {his} {owner}.")
    t.say("It fell and broke into a hundred pieces.",
          "It broke with a loud crash.")
    t.say("{hero} hid the pieces {spot}.",
          "Quickly {he} swept up the pieces and hid them {spot}.")
    t.say('"Who broke my {thing}?" asked the {owner}.',
          "That evening the {owner} looked for the {thing}.")
    t.say("{hero} said nothing, but {he} could not sleep that night.",
          "{hero} kept silent, and {his} stomach began to hurt.")
    t.say('"Tell the truth," said {friend} the {friend_kind}. '
          '"It will feel lighter."',
          "{friend} the {friend_kind} told {him} to be honest.")
    t.say('So {he} went to {his} {owner} and said, "It was me. I am sorry."',
          "In the morning {he} told {his} {owner} everything.")
    t.say('"Thank you for the truth," said the {owner}, and forgave {him}.',
          "The {owner} was not angry, and they made a new {thing} together.")


PLOTS = [plot_lost, plot_mend, plot_share, plot_fright, plot_build, plot_truth]

# The questions of the second tone: one before the story, one after it.
OPENING = {
    plot_lost: "Have you ever lost something you loved?",
    plot_mend: "What would you do with a broken {thing}?",
    plot_share: "Who gives away half of a good meal?",
    plot_fright: "What moves in the dark at sea?",
    plot_build: "How do you build {work}?",
    plot_truth: "Is it hard to tell the truth?",
}
CLOSING = {
    plot_lost: ["Where would you have looked?", "Where is your treasure now?"],
    plot_mend: ["Would you have given up?", "What can you mend?"],
    plot_share: ["With whom would you share?", "Would you have done the same?"],
    plot_fright: ["Would you have gone to look?", "What are you afraid of?"],
    plot_build: ["Which would you have used?", "Would you have listened?"],
    plot_truth: ["Would you have told?", "Do you sleep better now?"],
}


def tell(rng, world):
    """One story of a world; stories of the sea ask questions."""
    teller, plot = Teller(rng, world), rng.choice(PLOTS)
    teller.begin()
    teller.set(morning_lower=teller.words["morning"][0].lower()
               + teller.words["morning"][1:])
    plot(teller)
    if world is SEA:
        opening = OPENING[plot].format(**teller.words)
        teller.sentences.insert(0, opening)
        teller.say(*CLOSING[plot])
    return teller.text()


def tell_many(seed, world, count):
    rng = random.Random(seed)
    return [tell(rng, world) for _ in range(count)]


# --------------------------------------------------------------------------
# 2. The tokenizer: byte-level byte-pair encoding
# --------------------------------------------------------------------------

SPECIALS = ["<pad>", "<s>", "</s>"]
PAD, BOS, EOS = range(3)

# How the "ByteLevel" pre-tokenizer of the tokenizers library cuts a text,
# restricted to ASCII letters and digits, which is all the stories use.
CUT = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+"
                 r"| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def byte_symbols():
    """The printable character that stands for each byte in a vocabulary:
    a printable byte stands for itself, the others take the code points from
    256 on, in order."""
    own = set(range(0x21, 0x7F)) | set(range(0xA1, 0x100)) - {0xAD}
    spare = iter(range(256, 512))
    return [chr(b) if b in own else chr(next(spare)) for b in range(256)]


BYTE = byte_symbols()
UNBYTE = {symbol: b for b, symbol in enumerate(BYTE)}


def merge_pair(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i:i + 2]) == pair:
            merged.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def train_bpe(texts, vocab_size):
    """Joins the commonest pair of neighbours until the vocabulary is full.
    Returns the tokens in the order of their numbers, and the merges."""
    counts = Counter(piece for text in texts for piece in CUT.findall(text))
    words = [[[BYTE[b] for b in piece.encode()], n]
             for piece, n in sorted(counts.items())]
    tokens, merges = SPECIALS + sorted(BYTE), []
    while len(tokens) < vocab_size:
        pairs = Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        tokens.append(best[0] + best[1])
        for word in words:
            word[0] = merge_pair(word[0], best)
    return tokens, merges


class Tokenizer:
    def __init__(self, tokens, merges):
        self.tokens = tokens
        self.number = {token: i for i, token in enumerate(tokens)}
        self.merges = merges
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.cache = {}

    def encode_piece(self, piece):
        if piece not in self.cache:
            symbols = [BYTE[b] for b in piece.encode()]
            while True:
                known = [p for p in zip(symbols, symbols[1:]) if p in self.rank]
                if not known:
                    break
                symbols = merge_pair(symbols, min(known, key=self.rank.get))
            self.cache[piece] = [self.number[s] for s in symbols]
        return self.cache[piece]

    def encode(self, text):
        return [i for piece in CUT.findall(text)
                for i in self.encode_piece(piece)]

    def decode(self, numbers):
        text = "".join(self.tokens[i] for i in numbers if i >= len(SPECIALS))
        return bytes(UNBYTE[c] for c in text).decode(errors="replace")

    def to_json(self):
        """tokenizer.json, in the schema of the tokenizers library."""
        def byte_level():
            return {"type": "ByteLevel", "add_prefix_space": False,
                    "trim_offsets": True, "use_regex": True}
        bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": i, "content": token, "single_word": False,
                 "lstrip": False, "rstrip": False, "normalized": False,
                 "special": True} for i, token in enumerate(SPECIALS)],
            "normalizer": None,
            "pre_tokenizer": byte_level(),
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}},
                         {"SpecialToken": {"id": "<s>", "type_id": 1}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS],
                                           "tokens": ["<s>"]}}},
            "decoder": byte_level(),
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False,
                "byte_fallback": False, "vocab": self.number,
                "merges": [" ".join(pair) for pair in self.merges]},
        }

    @classmethod
    def from_json(cls, data):
        vocab = data["model"]["vocab"]
        return cls(sorted(vocab, key=vocab.get),
                   [tuple(m.split(" ")) for m in data["model"]["merges"]])


# --------------------------------------------------------------------------
# 3. The model: Llama, with its usual names
# --------------------------------------------------------------------------

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.08,
    "intermediate_size": 352,
    "max_position_embeddings": 256,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 8,
    "num_hidden_layers": 6,
    "num_key_value_heads": 4,
    "pad_token_id": PAD,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 1024,
}


def parameter_shapes(c):
    """Every tensor of the checkpoint: name and shape."""
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    queries = c["num_attention_heads"] * c["head_dim"]
    keys = c["num_key_value_heads"] * c["head_dim"]
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], hidden),
              "model.norm.weight": (hidden,)}
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes |= {
            layer + "input_layernorm.weight": (hidden,),
            layer + "self_attn.q_proj.weight": (queries, hidden),
            layer + "self_attn.k_proj.weight": (keys, hidden),
            layer + "self_attn.v_proj.weight": (keys, hidden),
            layer + "self_attn.o_proj.weight": (hidden, queries),
            layer + "post_attention_layernorm.weight": (hidden,),
            layer + "mlp.gate_proj.weight": (inner, hidden),
            layer + "mlp.up_proj.weight": (inner, hidden),
            layer + "mlp.down_proj.weight": (hidden, inner),
        }
    return shapes


def initial_weights(c, seed):
    """Normal numbers; smaller ones where a layer adds to the sum that all
    layers share, so that the sum of them is no larger for being many."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in parameter_shapes(c).items():
        if len(shape) == 1:
            weights[name] = torch.ones(shape)
        else:
            weights[name] = torch.randn(shape, generator=generator)
            weights[name] *= c["initializer_range"]
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weights[name] /= math.sqrt(2 * c["num_hidden_layers"])
    return weights


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rotary_tables(c, length):
    """cos and sin of position * frequency; the two halves of a head turn
    together, element i with element i + head_dim / 2."""
    half = c["head_dim"] // 2
    frequency = c["rope_theta"] ** (-torch.arange(half) / half)
    angle = torch.outer(torch.arange(length).float(), frequency)
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-b, a], dim=-1) * sin


def forward(w, c, tokens):
    """Logits of every next token; tokens: (batch, length)."""
    batch, length = tokens.shape
    heads, kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
    width, eps = c["head_dim"], c["rms_norm_eps"]
    cos, sin = rotary_tables(c, length)
    future = torch.full((length, length), float("-inf")).triu(1)

    def split(x, count):
        return x.view(batch, length, count, width).transpose(1, 2)

    x = F.embedding(tokens, w["model.embed_tokens.weight"])
    for i in range(c["num_hidden_layers"]):
        def get(name):
            return w[f"model.layers.{i}.{name}.weight"]

        h = rms_norm(x, get("input_layernorm"), eps)
        q = rotate(split(h @ get("self_attn.q_proj").T, heads), cos, sin)
        k = rotate(split(h @ get("self_attn.k_proj").T, kv_heads), cos, sin)
        v = split(h @ get("self_attn.v_proj").T, kv_heads)
        # Each key/value head serves a run of neighbouring query heads.
        k = k.repeat_interleave(heads // kv_heads, dim=1)
        v = v.repeat_interleave(heads // kv_heads, dim=1)
        scores = q @ k.transpose(2, 3) / math.sqrt(width) + future
        h = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + h @ get("self_attn.o_proj").T

        h = rms_norm(x, get("post_attention_layernorm"), eps)
        h = F.silu(h @ get("mlp.gate_proj").T) * (h @ get("mlp.up_proj").T)
        x = x + h @ get("mlp.down_proj").T
    x = rms_norm(x, w["model.norm.weight"], eps)
    return x @ w["model.embed_tokens.weight"].T


def loss_of(w, c, rows):
    logits = forward(w, c, rows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


# --------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------

BATCH = 8             # rows in a batch
BASE_LENGTH = 160     # tokens in a row: the longest story and its two ends;
TUNE_LENGTH = 216     # those of the sea are longer, in more and rarer words


def make_rows(tokenizer, stories, count, length, seed):
    """Rows of length + 1 tokens: whole stories, the last of them cut off.
    The first is never cut, so every ending is learnt."""
    rng = random.Random(seed)
    encoded = [[BOS] + tokenizer.encode(s) + [EOS] for s in stories]
    assert max(map(len, encoded)) <= length + 1
    rows = []
    for _ in range(count):
        row = []
        while len(row) <= length:
            row += rng.choice(encoded)
        rows.append(row[:length + 1])
    return torch.tensor(rows)


def train(w, c, rows, held_out, steps, peak, warmup, label, keep=None):
    """AdamW, the learning rate rising linearly, then falling on a cosine
    to a tenth of its peak.  Calls keep(step) after each step, if there is
    one.  Returns the held-out loss before and after."""
    for tensor in w.values():
        tensor.requires_grad_(True)
    # Weight decay is for matrices, not for the gains of the norms.
    optimizer = torch.optim.AdamW(
        [{"params": [t for t in w.values() if t.dim() > 1],
          "weight_decay": 0.1},
         {"params": [t for t in w.values() if t.dim() == 1],
          "weight_decay": 0.0}], lr=peak, betas=(0.9, 0.95), eps=1e-8)

    def held_out_loss():
        with torch.no_grad():
            parts = [loss_of(w, c, part) for part in held_out.split(BATCH)]
            return torch.stack(parts).mean().item()

    before, start, running = held_out_loss(), time.time(), None
    for step in range(steps):
        rise = min(1.0, (step + 1) / warmup)
        fall = 0.55 + 0.45 * math.cos(math.pi * step / steps)
        for group in optimizer.param_groups:
            group["lr"] = peak * rise * fall
        batch = rows[step * BATCH:(step + 1) * BATCH]
        loss = loss_of(w, c, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(w.values(), 1.0)
        optimizer.step()
        if keep:
            keep(step + 1)
        value = loss.item()
        running = value if running is None else 0.98 * running + 0.02 * value
        if (step + 1) % 100 == 0 or step + 1 == steps:
            print(f"{label} step {step + 1}/{steps}  loss {running:.4f}  "
                  f"{time.time() - start:.0f} s", flush=True)
    for tensor in w.values():
        tensor.requires_grad_(False)
    after = held_out_loss()
    print(f"{label} held-out loss {before:.4f} -> {after:.4f}", flush=True)
    return before, after


@torch.no_grad()
def continue_greedily(w, c, tokenizer, prompt=""):
    """The likeliest continuation, one token at a time, to the story's end."""
    tokens = [BOS] + tokenizer.encode(prompt)
    while len(tokens) < c["max_position_embeddings"]:
        best = forward(w, c, torch.tensor([tokens]))[0, -1].argmax().item()
        if best == EOS:
            break
        tokens.append(best)
    return tokenizer.decode(tokens)


# --------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------


def write_safetensors(path, weights):
    """Length of the header (8 bytes, little-endian), the header (JSON,
    filled up with spaces to a multiple of 8 bytes), the tensors' bytes; in
    the order of their names, as the safetensors library writes tensors of
    one type."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(weights):
        # F32 to BF16 rounds to nearest, ties to even.
        half = weights[name].detach().to(torch.bfloat16).contiguous()
        blob = half.view(torch.int16).numpy().astype("<i2").tobytes()
        header[name] = {"dtype": "BF16", "shape": list(half.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_safetensors(path):
    """The weights of a file as F32, after checking that its tensors follow
    one another without gap from the header's end to the file's."""
    data = path.read_bytes()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    assert size % 8 == 0 and header.pop("__metadata__") == {"format": "pt"}
    weights, at = {}, 0
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "BF16" and begin == at
        assert end - begin == 2 * math.prod(entry["shape"])
        bits = np.frombuffer(data[8 + size + begin:8 + size + end], "<u2")
        wide = (bits.astype("<u4") << 16).view("<f4")
        weights[name] = torch.from_numpy(wide.reshape(entry["shape"]).copy())
        at = end
    assert 8 + size + at == len(data)
    return weights


def write_json(path, data):
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n",
                    encoding="utf-8")


def write_checkpoint(folder, weights, c, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", weights)
    write_json(folder / "config.json", c)
    write_json(folder / "generation_config.json", {
        "bos_token_id": BOS, "do_sample": False, "eos_token_id": EOS,
        "max_length": c["max_position_embeddings"], "pad_token_id": PAD})
    write_json(folder / "tokenizer.json", tokenizer.to_json())
    write_json(folder / "tokenizer_config.json", {
        "added_tokens_decoder": {
            str(i): {"content": token, "lstrip": False, "normalized": False,
                     "rstrip": False, "single_word": False, "special": True}
            for i, token in enumerate(SPECIALS)},
        "bos_token": "<s>", "clean_up_tokenization_spaces": False,
        "eos_token": "</s>", "model_max_length": c["max_position_embeddings"],
        "pad_token": "<pad>", "tokenizer_class": "PreTrainedTokenizerFast"})


def read_checkpoint(folder):
    c = json.loads((folder / "config.json").read_text())
    tokenizer = Tokenizer.from_json(
        json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    weights = read_safetensors(folder / "model.safetensors")
    shapes = {name: tuple(t.shape) for name, t in weights.items()}
    assert shapes == parameter_shapes(c)
    assert len(tokenizer.tokens) == c["vocab_size"]
    return weights, c, tokenizer


# --------------------------------------------------------------------------
# All of it
# --------------------------------------------------------------------------

SEED = 20240229
BASE_STEPS, BASE_PEAK = 5000, 2e-3
TUNE_STEPS, TUNE_PEAK = 600, 3e-4

PROMPTS = ["", "There once was a shy mole called Ivy.", "Near the mill"]


def held_out_rows(tokenizer, world, length):
    """128 rows of stories that no training has seen."""
    stories = tell_many(SEED + 2, world, 200)
    return make_rows(tokenizer, stories, 128, length, SEED + 3)


def show(out):
    """Reads both checkpoints back and lets them tell stories."""
    loaded = {}
    for name in ["base", "fine-tune"]:
        w, c, tokenizer = read_checkpoint(out / name)
        loaded[name] = w
        with torch.no_grad():
            losses = {world: loss_of(w, c, held_out_rows(tokenizer, *of)).item()
                      for world, of in [("land", (LAND, BASE_LENGTH)),
                                        ("sea", (SEA, TUNE_LENGTH))]}
        print(f"\n{name}: {sum(t.numel() for t in w.values())} parameters in "
              f"{len(w)} tensors; held-out loss of the BF16 weights: "
              + ", ".join(f"{k} {v:.4f}" for k, v in losses.items()))
        for prompt in PROMPTS:
            print(f"  [{prompt}] ->\n    "
                  + continue_greedily(w, c, tokenizer, prompt))
    base, tuned = loaded["base"], loaded["fine-tune"]
    same = sum((base[n] == tuned[n]).sum().item() for n in base)
    total = sum(t.numel() for t in base.values())
    print(f"\nvalues equal in both: {same} of {total} "
          f"({100 * same / total:.1f}%)")


def tune(folder, steps, keep=None):
    """The second training starts from the file, that is from BF16 weights.
    One story in four is of the first kind, lest the model forget them."""
    weights, config, tokenizer = read_checkpoint(folder)
    mixed = tell_many(SEED + 4, SEA, 3000) + tell_many(SEED + 5, LAND, 1000)
    train(weights, config,
          make_rows(tokenizer, mixed, steps * BATCH, TUNE_LENGTH, SEED + 4),
          held_out_rows(tokenizer, SEA, TUNE_LENGTH),
          steps, TUNE_PEAK, 20, "fine-tune",
          keep and (lambda step: keep(step, weights, config, tokenizer)))
    return weights, config, tokenizer


def make_chain(base, folder, steps):
    """Five checkpoints, from the first to the last of the second training."""
    def keep(step, weights, config, tokenizer):
        if step % (steps // 4) == 0:
            write_checkpoint(folder / f"{step:04}", weights, config, tokenizer)
    write_checkpoint(folder / "0000", *read_checkpoint(base))
    tune(base, steps, keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--base-steps", type=int, default=BASE_STEPS)
    parser.add_argument("--tune-steps", type=int, default=TUNE_STEPS)
    parser.add_argument("--stories", type=int, metavar="N")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--chain", type=Path, metavar="DIR")
    args = parser.parse_args()

    torch.set_num_threads(1)      # the same sums in the same order
    torch.manual_seed(SEED)
    if args.stories:
        for world in [LAND, SEA]:
            print("\n\n".join(tell_many(SEED, world, args.stories)), "\n")
        return
    if args.check:
        show(args.out)
        return
    if args.chain:
        make_chain(args.out / "base", args.chain, args.tune_steps)
        return

    start = time.time()
    land = tell_many(SEED, LAND, 40000)
    tokens, merges = train_bpe(land[:8000], CONFIG["vocab_size"])
    assert len(tokens) == CONFIG["vocab_size"]
    tokenizer = Tokenizer(tokens, merges)
    lengths = [len(tokenizer.encode(story)) for story in land]
    print(f"{len(land)} stories ({len(set(land))} different), "
          f"{sum(lengths) / len(lengths):.0f} tokens on average, "
          f"{max(lengths)} at most; {len(tokens)} tokens in the vocabulary; "
          f"{time.time() - start:.0f} s", flush=True)

    weights = initial_weights(CONFIG, SEED)
    train(weights, CONFIG,
          make_rows(tokenizer, land, args.base_steps * BATCH, BASE_LENGTH,
                    SEED),
          held_out_rows(tokenizer, LAND, BASE_LENGTH),
          args.base_steps, BASE_PEAK, 100, "base")
    write_checkpoint(args.out / "base", weights, CONFIG, tokenizer)

    write_checkpoint(args.out / "fine-tune",
                     *tune(args.out / "base", args.tune_steps))

    show(args.out)
    print(f"{time.time() - start:.0f} s in all")


if __name__ == "__main__":
    main()
