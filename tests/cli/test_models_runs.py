"""`latentpress models` tells what runs the built-in model, and the environment changes it."""

import json

import pytest
from typer.testing import CliRunner

from latentpress.cli.app import app
from latentpress.runtimes import choice, processor


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_choice_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "flags", lambda: frozenset({"avx_vnni"}))
    monkeypatch.setattr(choice.native, "library", lambda: None)
    monkeypatch.delenv(choice.RUNTIME_VARIABLE)
    monkeypatch.delenv(choice.PRECISION_VARIABLE)
    why = "onnxruntime on cpu in int8: the processor has a dot product of bytes"
    assert f"builtin analysis: {why}\nbuiltin synthesis: {why}\n" in printed()
    monkeypatch.setenv(choice.PRECISION_VARIABLE, "float")
    rows = json.loads(printed("--json"))
    assert (
        rows[0]["runs"].splitlines()[1]
        == "synthesis: onnxruntime on cpu in float32: LATENTPRESS_PRECISION asks for it"
    )
    assert {row["runs"] for row in rows[1:]} == {None}


def test_a_word_that_is_none_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from latentpress.cli import app as module

    monkeypatch.setenv(choice.RUNTIME_VARIABLE, "tensorrt")
    monkeypatch.setattr("signal.signal", lambda *_: None)  # those of the tests stay
    monkeypatch.setattr("sys.argv", ["latentpress", "models"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 2
    assert (
        "LATENTPRESS_RUNTIME is one of native, onnxruntime, openvino, torch, not 'tensorrt'"
        in capsys.readouterr().err
    )


def test_the_help_lists_the_variables() -> None:
    text = CliRunner().invoke(app, ["-h"]).output
    assert choice.RUNTIME_VARIABLE in text
    assert choice.PRECISION_VARIABLE in text
