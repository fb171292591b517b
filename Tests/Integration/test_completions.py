"""What shells complete."""

import shutil
import subprocess

import pytest
from harness import run_client

SHELLS = ["bash", "zsh", "fish"]


def script(shell: str) -> str:
    done = run_client("--generate-completion-script", shell)
    assert done.code == 0, f"{done}"
    return done.output


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_command(shell):
    text = script(shell)
    for command in ("server", "upload", "download", "ls", "rm", "status", "cluster", "bench", "metadata", "doctor", "set-weight", "account", "key"):
        assert command in text, command


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_one_that_the_shell_takes(shell, tmp_path):
    # Debian has bash; the others are checked where they are.
    if shell != "bash" and not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / f"chunkflow.{shell}"
    path.write_text(script(shell))
    checked = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr


def complete(tmp_path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    path = tmp_path / "chunkflow.bash"
    if not path.exists():
        path.write_text(script("bash"))
    program = (
        f'source {path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}; '
        '"$(complete -p chunkflow | sed -E "s/.*-F ([^ ]+).*/\\1/")" chunkflow "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; '
        'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", program, "bash", *words], capture_output=True, text=True, timeout=30, cwd=tmp_path)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def test_bash_completes_commands_values_and_files(tmp_path):
    assert complete(tmp_path, "chunkflow", "up") == ["upload"]
    assert complete(tmp_path, "chunkflow", "cluster", "dr") == ["drain"]
    assert complete(tmp_path, "chunkflow", "key", "dis") == ["disable"]
    assert complete(tmp_path, "chunkflow", "account", "create", "--dis") == ["--display-name"]
    assert set(complete(tmp_path, "chunkflow", "server", "--durability", "")) == {"fsync", "none"}
    assert set(complete(tmp_path, "chunkflow", "bench", "--workload", "")) == {"put", "get", "both", "mixed"}
    (tmp_path / "photo.png").write_text("")
    assert complete(tmp_path, "chunkflow", "upload", "pho") == ["photo.png"]
