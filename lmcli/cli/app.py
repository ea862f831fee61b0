"""The command group. Names and one-line helps live here, so that `lmcli --help` imports no command."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lmcli import __version__
from lmcli.errors import did_you_mean

# name -> (module:function, the line that `lmcli --help` shows); in the order of the work
COMMANDS = {
    "init": ("lmcli.cli.init:init", "Make a project in a folder; what is in it already is kept."),
    "clean": ("lmcli.cli.clean:clean", "Text in many formats -> clean, deduplicated documents."),
    "tokenize": ("lmcli.cli.tokenize:tokenize", "Train the tokenizer and encode the corpus."),
    "plan": ("lmcli.cli.plan:plan", "What train would do and why: size, time, memory, expected quality."),
    "train": ("lmcli.cli.train:train", "Pretrain a model on the tokens."),
    "sweep": ("lmcli.cli.sweep:sweep", "Find the best of several settings for training."),
    "finetune": ("lmcli.cli.finetune:finetune", "Train a model further on prompt and completion pairs."),
    "eval": ("lmcli.cli.eval:evaluate", "Perplexity, bits per byte, BLEU, ROUGE; gates for CI."),
    "generate": ("lmcli.cli.generate:generate", "Write text with a model."),
    "import": ("lmcli.cli.importing:import_model", "Take in a Hugging Face model directory, or one of the hub."),
    "export": ("lmcli.cli.export:export", "Hand a model on: Hugging Face, GGUF, ONNX, one archive; checked."),
    "run": ("lmcli.cli.run:run", "Make everything that is stale, in order."),
    "status": ("lmcli.cli.status:status", "What is fresh, stale or missing, and why."),
    "path": ("lmcli.cli.path:path", "Print where an artifact lies."),
    "show": ("lmcli.cli.show:show", "Print what an artifact was made from, and its figures."),
    "verify": ("lmcli.cli.verify:verify", "Re-hash every artifact; exit 4 names what is damaged."),
    "gc": ("lmcli.cli.gc:gc", "Remove what no artifact needs any more."),
    "env": ("lmcli.cli.env:env", "Print versions and hardware, for bug reports."),
    "config": ("lmcli.cli.config:show_config", "Print every setting, its value and where that comes from."),
}


class LazyGroup(TyperGroup):
    """Knows the commands by name; imports one when it is invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`lmcli -C DIR status` is `lmcli status -C DIR`, as with git and make."""
        if len(args) > 2 and args[0] in ("-C", "--project"):
            args = [args[2], *args[:2], *args[3:]]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])
        return None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS:
            hint = did_you_mean(name, COMMANDS)
            ctx.fail(f"no command named {name!r}" + (f" - {hint}" if hint else "; `lmcli --help` lists them"))
        return name, load(name), args[1:]


def load(name: str) -> TyperCommand:
    """The command of that name, imported now."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    function = getattr(importlib.import_module(module), attribute)
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_CONTEXT)
    single.command(name)(function)
    command = typer.main.get_command(single)
    command.name = name
    return command  # type: ignore[return-value]


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=_CONTEXT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lmcli {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """From a folder of text to a small language model that you can measure, talk to and hand on.

    \b
    lmcli init                      make a project here; put text into corpus/
    lmcli tokenize corpus/          train a tokenizer and encode the text
    lmcli train                     train for five minutes
    lmcli generate "Once upon"      let it write
    """
