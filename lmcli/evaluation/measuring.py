"""A model measured on text or on rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcli.corpus.documents import Document
from lmcli.corpus.rows import Row
from lmcli.corpus.tally import left_out
from lmcli.errors import ArtifactError, ConfigError, InputError
from lmcli.evaluation.comparison import compare
from lmcli.evaluation.compression import Compressors
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.generated import complete
from lmcli.evaluation.likelihood import Likelihood, Nats, likelihood
from lmcli.evaluation.results import Results
from lmcli.evaluation.rows import choose
from lmcli.evaluation.token_nats import batch_nats, token_nats
from lmcli.evaluation.windows import document_windows
from lmcli.models.config import ComputeConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import Compute, resolve_compute
from lmcli.models.directory import Writer, load_writer
from lmcli.objectives.building import supervised_for
from lmcli.progress import Progress
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import StreamDecoder, Tokenizer
from lmcli.tokens.window_batch import Ids
from lmcli.tokens.windows import evaluation_windows

_DECODED_AT_ONCE = 1 << 16  # tokens


@dataclass(frozen=True)
class Subject:
    """The model that is measured, in evaluation mode on its device, with the tokenizer that it was trained with."""

    model: Writer
    tokenizer: Tokenizer
    compute: Compute

    @property
    def context(self) -> int:
        """How many tokens the model sees at once."""
        return self.model.shape.context

    @property
    def decoder(self) -> Decoder:
        """For running text; ConfigError for a model that gives no probability to it."""
        if not isinstance(self.model, Decoder):
            message = f"an {self.model.kind} predicts a target for a source, and this is running text"
            raise ConfigError(message, "evaluate on rows with a prompt and a completion: lmcli eval FILE")
        return self.model


def load(directory: Path, config: ComputeConfig) -> Subject:
    """The model of a directory, ready to be measured; ArtifactError when model and tokenizer don't belong together."""
    compute = resolve_compute(config)
    tokenizer = Tokenizer.load(directory)
    model = load_writer(directory, compute.device)
    if tokenizer.vocab_size > model.shape.vocab_size:
        message = f"{directory}: {tokenizer.vocab_size} tokens in the tokenizer, {model.shape.vocab_size} in the model"
        raise ArtifactError(message, "use the tokenizer that the model was trained with")
    return Subject(model, tokenizer, compute)


def another_tokenizer() -> ArtifactError:
    """For tokens that mean something else to the model."""
    return ArtifactError("the tokens were made with another tokenizer than the model's", "run `lmcli eval FILE`")


def measure_stream(subject: Subject, stream: TokenStream, config: EvalConfig, progress: Progress) -> Results:
    """Likelihood and baselines on one side of the encoded corpus, in the windows that training validates on.

    Raises ArtifactError when the stream was encoded with another tokenizer.
    """
    _refuse_metrics(config)
    if (stream.vocab_size, stream.end_id) != (subject.tokenizer.vocab_size, subject.tokenizer.end_id):
        raise another_tokenizer()
    windows = evaluation_windows(stream, subject.context, config.batch)
    nats = token_nats(subject.decoder, windows, subject.compute, progress, len(stream))
    found = _likelihood(subject, nats, text_bytes=lambda: stream.text_bytes)
    compressors = Compressors(stream.text_bytes)
    with progress.task("compress", stream.text_bytes, "B") as task:
        for text in texts(stream, subject.tokenizer):
            compressors.add(text)
            task.advance(len(text.encode()))
    return _text_results(found, compressors, config)


def measure_documents(
    subject: Subject, documents: Iterable[Document], config: EvalConfig, progress: Progress
) -> Results:
    """Likelihood and baselines on documents, each of which starts anew and ends with the end token.

    What the tokenizer can't represent is counted as `unknown_tokens`: what is lost there makes bits per byte too good.
    """
    _refuse_metrics(config)
    text = _Encoding(documents, subject.tokenizer)
    windows = document_windows(text, subject.tokenizer.end_id, subject.context, config.batch)
    nats = token_nats(subject.decoder, windows, subject.compute, progress)
    found = _likelihood(subject, nats, text_bytes=lambda: text.text_bytes)
    if text.unknown:
        progress.warn(f"{text.unknown} of {found.tokens} tokens stand for text that the tokenizer can't represent")
    return _text_results(found, text.compressors, config, unknown_tokens=text.unknown)


def measure_rows(subject: Subject, rows: Sequence[Row], config: EvalConfig, progress: Progress) -> Results:
    """Likelihood of every completion given its prompt; and greedy completions of chosen rows, compared by the metrics.

    Rows are laid out as fine-tuning lays them out: those longer than the context lose what fine-tuning
    cuts, and are counted; so are those without a completion, which are left out. Raises InputError when no row has one.
    """
    if rows and not any(row.completion for row in rows):
        message = f"nothing to measure: {len(rows):,} rows, all with an empty completion"
        raise InputError(message, "each row needs text under `completion` or `text`")
    choice = choose(rows, config.limit, config.seed)
    if not choice.of:
        _refuse_metrics(config)
    encode = subject.tokenizer.encode
    pairs = ((encode(row.prompt), encode(row.completion)) for row in rows)
    objective = supervised_for(subject.model.kind, subject.tokenizer)
    examples, fitting = objective.fit(pairs, subject.context)
    if fitting.empty:
        progress.warn(left_out({"empty_completion": fitting.empty}))
    batches = (objective.batch(examples[at : at + config.batch]) for at in range(0, len(examples), config.batch))
    nats = batch_nats(subject.model, batches, subject.compute, progress, fitting.trained_tokens)
    found = _likelihood(subject, nats, unit="rows")
    scores = found.scores(config.seed)
    samples = complete(subject.model, subject.tokenizer, choice.rows, config, progress)
    if samples:
        predictions, references = [item.prediction for item in samples], [item.reference for item in samples]
        scores += compare(predictions, references, config.metrics, config.seed)
    counts = {
        "rows": fitting.rows,
        "rows_without_completion": fitting.empty,
        "rows_cut": fitting.truncated,
        "rows_generated": len(samples),
        "rows_with_prompt": choice.of,
        "prompts_cut": sum(item.prompt_cut for item in samples),
        "tokens": found.tokens,
        "text_bytes": found.text_bytes,
    }
    return Results(scores, counts, samples)


def texts(stream: TokenStream, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of a stream, in order, without its end tokens."""
    decoder = StreamDecoder(tokenizer)
    for start in range(0, len(stream), _DECODED_AT_ONCE):
        ids = stream.take(start, min(_DECODED_AT_ONCE, len(stream) - start)).tolist()
        yield "".join(decoder.flush() if token == stream.end_id else decoder.push(token) for token in ids)
    yield decoder.flush()


def documents(stream: TokenStream, tokenizer: Tokenizer) -> Iterator[Document]:
    """The documents of a stream as text, for a tokenizer that has all of its tokens and more.

    Raises ArtifactError when the stream was made with another one.
    """
    if stream.vocab_size > tokenizer.vocab_size or stream.end_id != tokenizer.end_id:
        raise another_tokenizer()
    start = 0
    for number, end in enumerate([*map(int, stream.document_ends), len(stream)]):
        ids = stream.take(start, end - start).tolist() if end > start else []
        if ids:  # what follows the last end token is the beginning of a document whose end is on the other side
            yield Document(f"{stream.side}:{number}", tokenizer.decode(ids))
        start = end


class _Encoding:
    """Documents as (ids, whether the document ends); their text is counted and compressed as it goes by."""

    def __init__(self, documents: Iterable[Document], tokenizer: Tokenizer) -> None:
        self._documents = documents
        self._tokenizer = tokenizer
        self.compressors = Compressors()
        self.text_bytes = self.unknown = 0

    def __iter__(self) -> Iterator[tuple[list[int], bool]]:
        for document in self._documents:
            self.text_bytes += len(document.text.encode())
            self.compressors.add(document.text)
            ids = self._tokenizer.encode(document.text)
            self.unknown += ids.count(self._tokenizer.unknown_id) if self._tokenizer.unknown_id is not None else 0
            yield ids, document.ends


def _likelihood(
    subject: Subject,
    nats: Iterable[tuple[Ids, Nats]],
    *,
    text_bytes: Callable[[], int] | None = None,
    unit: str = "auto",
) -> Likelihood:
    return likelihood(
        nats,
        token_bytes=subject.tokenizer.token_bytes,
        end_id=subject.tokenizer.end_id,
        context=subject.context,
        text_bytes=text_bytes,
        unit=unit,
    )


def _text_results(found: Likelihood, compressors: Compressors, config: EvalConfig, **counted: int) -> Results:
    counts = {"tokens": found.tokens, "text_bytes": found.text_bytes, "documents": found.documents, **counted}
    return Results(found.scores(config.seed) + compressors.scores(), counts)


def _refuse_metrics(config: EvalConfig) -> None:
    if config.metrics:
        raise ConfigError(
            "metrics compare generated text with references, and this data has no prompts with completions",
            "evaluate on rows with a prompt and a completion, or leave the metrics out",
        )
