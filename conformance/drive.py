"""Run a method of a chat model and watch it.

The model runs in threads of its own (an event loop in one of them for the async forms); the rule stays outside, in
plain synchronous code, and steers: ask for the next chunk, close, cancel, open a gate. So a rule is the same for both
forms, and a model that hangs or blocks cannot hang the rule.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

import mockserver
from mockserver import Exchange, Gate, Reply, Turn

from .bench import Bench
from .build import Unsettable
from .calls import Call, LoopHand, Stream, ThreadHand, carry, start_thread, started
from .steps import Course
from .verdict import Broken, NotApplicable
from .wording import brief, describe_error
from .wrapped import has, not_taken

if TYPE_CHECKING:
    from .catalogue import Form
    from .target import Target

T = TypeVar("T")

PROMPT: Final = "Tell me something"
"""What rules ask where the question does not matter."""
_KEPT: Final = 100
"""How many calls, and exchanges of scripts played before, are kept to be told of."""


@dataclass
class Probe:
    """What a rule works with: the model under test, its server, and the form in which the rule runs."""

    target: "Target"
    form: "Form"
    bench: Bench
    note: str = ""
    """What an INFO rule found."""
    goes_on: bool = False
    """Whether a call is left that may go on to ask the server, which no other item may then use."""
    kinds: tuple[str, ...] = ()
    """The kinds of failures that an explored item showed, and that it was to pass over."""
    courses: deque[Course] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """What was called of late, and what came of it."""
    _before: deque[Exchange] = field(default_factory=lambda: deque(maxlen=_KEPT))
    played: tuple[Exchange, ...] | None = None
    """The exchanges of a model that is answered within this process; `None` where it asks the server."""
    _models: dict[str, BaseChatModel] = field(default_factory=dict)
    _streams: list[Stream[Any]] = field(default_factory=list)
    _gates: list[Gate] = field(default_factory=list)

    @property
    def is_async(self) -> bool:
        return self.form == "async"

    @property
    def server(self) -> mockserver.Server:
        return self.bench.server

    @property
    def wire(self) -> mockserver.Wire:
        return self.target.wire

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        return self.server.exchanges if self.played is None else self.played

    @property
    def all_exchanges(self) -> tuple[Exchange, ...]:
        """All of late, those of scripts played before too."""
        return (*self._before, *self.exchanges)

    @property
    def exchange(self) -> Exchange:
        """The one exchange.

        Raises:
            Broken: there are none, or several.
        """
        if len(self.exchanges) != 1:
            raise Broken("1 request", f"{len(self.exchanges)} requests")
        return self.exchanges[0]

    def beside(self, form: "Form") -> "Probe":
        """A probe of another form on the same bench; what it starts is noted here, and ends with this one."""
        return replace(self, form=form, _models={})

    def name(self, method: str) -> str:
        """The method's name in this form: `stream` or `astream`."""
        return f"a{method}" if self.is_async else method

    def model(self, **fields: Any) -> BaseChatModel:
        """The model under test, aimed at the server; `fields` are set on it. One instance for the same fields."""
        key = repr(sorted(fields.items()))
        if key not in self._models:
            try:
                self._models[key] = self.target.build(self.server.url, **fields)
            except Unsettable as error:
                raise NotApplicable(str(error)) from None
        return self._models[key]

    def having(self, method: str, model: Any) -> Any:
        """The model, which has this method.

        Raises:
            NotApplicable: it is wrapped in something that does not.
        """
        wrapper = self.target.wrapper
        if wrapper and not has(model, method):
            raise NotApplicable(f"{self.target.label} gives {wrapper.kind}, which has no {method}")
        return model

    def _check_taken(self, model: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Nothing of an object that has fewer parameters than a model's methods have.

        Raises:
            NotApplicable: it does not take the arguments.
        """
        wrapper = self.target.wrapper
        if wrapper and not wrapper.is_runnable and (reason := not_taken(getattr(model, name), args, kwargs)):
            raise NotApplicable(f"{self.target.label} gives {wrapper.kind}, whose {name} takes less: {reason}")

    def speak(self, family: str) -> None:
        """Build the model from now on so that it speaks the wire of this family."""
        self.target = self.target.speaking(family)
        self.renew()

    def renew(self) -> None:
        """Build the model anew when it is next asked for."""
        self._models.clear()

    def play(self, *answers: Reply | Turn | mockserver.Refused | Callable[[mockserver.Asked], Any]) -> None:
        """Script the server: answers in order, or one function from the request to its answer."""
        if self.courses:
            self._before += self.server.exchanges
        self.server.play(answers[0] if len(answers) == 1 and callable(answers[0]) else answers)  # type: ignore[arg-type]

    def gate(self) -> Gate:
        """A gate that is opened at the latest when the item is over."""
        self._gates.append(Gate())
        return self._gates[-1]

    def call(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> "Call[Any]":
        """Start a method that gives one value; `on` is another runnable than the model under test."""
        name = self.name(method)
        model = self.having(name, on if on is not None else self.model())
        self._check_taken(model, name, args, kwargs)
        bound = getattr(model, name)
        return self.run(name, lambda: bound(*args, **kwargs))

    def run(self, name: str, work: Callable[[], Any]) -> "Call[Any]":
        """Start `work` where this form runs: in a thread, or (it gives a coroutine) as a task of the loop."""
        return self.in_loop(name, work) if self.is_async else self.in_thread(name, work)

    def in_loop(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> "Call[T]":
        """Start a coroutine as a task of the bench's loop."""
        future, course = self._begun(name)
        loop = self.bench.loop
        task = started(loop, carry(work, future))
        return Call(name, future, lambda: loop.loop.call_soon_threadsafe(task.cancel), course)

    def in_thread(self, name: str, work: Callable[[], T]) -> "Call[T]":
        """Start a function in a thread that has no loop."""
        future, course = self._begun(name)

        def do() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        start_thread(do)
        return Call(name, future, course=course)

    def _begun(self, name: str) -> "tuple[Future[Any], Course]":
        """What a call that begins now is to come to, and where it is noted."""
        course = Course(name)
        self.courses.append(course)
        course.note("calls")
        return course.outcome(lambda _: "answers"), course

    def iterate(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> Stream[Any]:
        """Start a method that gives an iterator; nothing runs before the first item is asked for."""
        name = self.name(method)
        model = self.having(name, on if on is not None else self.model())

        self._check_taken(model, name, args, kwargs)

        def make() -> Any:
            return getattr(model, name)(*args, **kwargs)

        stream: Stream[Any] = Stream(name, LoopHand(make, self.bench.loop) if self.is_async else ThreadHand(make))
        self._streams.append(stream)
        self.courses.append(stream.course)
        return stream

    def with_tools(self, tools: Sequence[BaseTool | dict[str, Any]], **fields: Any) -> Runnable[Any, Any]:
        """The model, with `fields` set on it, with tools bound."""
        model: BaseChatModel = self.having("bind_tools", self.model(**fields))
        try:
            return model.bind_tools(tools)
        except Exception as error:
            raise Broken("bind_tools takes tools", f"it raised {describe_error(error)}") from error

    def invoke(self, input: Any = PROMPT, **kwargs: Any) -> AIMessage:
        """The answer of `invoke` or `ainvoke`."""
        message = self.call("invoke", input, **kwargs).value()
        if not isinstance(message, AIMessage):
            raise Broken(f"{self.name('invoke')} returns an AIMessage", f"it returned {brief(message)}")
        return message

    def stream(self, input: Any = PROMPT, **kwargs: Any) -> list[Any]:
        """All chunks of `stream` or `astream`."""
        chunks = self.iterate("stream", input, **kwargs).rest()
        for chunk in chunks:
            if not isinstance(chunk, BaseMessage):
                raise Broken(f"{self.name('stream')} yields messages", brief(chunk))
        return chunks

    def finish(self) -> None:
        """Open all gates and let go of all streams, those since it was last called."""
        for gate in self._gates:
            gate.open()
        for stream in self._streams:
            stream.release()
        self._gates.clear()
        self._streams.clear()

    def forget(self) -> None:
        """Have what was asked until now not told of; what tries thousands of examples keeps one of them."""
        self.finish()
        self.courses.clear()
        self._before.clear()
