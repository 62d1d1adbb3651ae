"""Reads worlds.json: machines in a state, what runs in each, and what is expected of it."""
import json
import pathlib

DATA = json.loads((pathlib.Path(__file__).resolve().parent / "worlds.json").read_text())
WORLDS = DATA["worlds"]


def runs_of(name):
    """The runs of the command in a world: its own, after those that it shares with others by name."""
    world = WORLDS[name]
    return DATA["runs"].get(world.get("shared_runs"), []) + world.get("runs", [])
