"""A provider of one's own: a server on this machine that speaks chat completions.

    python examples/own_provider.py

It plays the tape beside this file, which was recorded from a stand-in for such a server. To record it anew, start a
server at the address below, such as llama.cpp's, and delete the tape.
"""

from pathlib import Path

import playhead as ph
from sum_agent import PROMPT, add, multiply

TAPE = Path(__file__).parent / "tapes" / "own_provider.jsonl"

LOCAL = ph.Provider(
    name="local",
    base_url="http://127.0.0.1:8080/v1",
    key_env="LOCAL_API_KEY",
    key_required=False,
    dialect=ph.Dialect(
        body={"cache_prompt": True},  # goes into every request
        option_fields=("grammar", "min_p"),  # what `options` may hold; anything else is an error
    ),
)

agent = ph.Agent("qwen2.5-coder-0.5b-instruct", provider=LOCAL, tools=[add, multiply], options={"min_p": 0.05})


def main() -> None:
    result = agent.run_sync(PROMPT, tape=TAPE, mode="auto")
    print(result.text)
    print(f"{result.usage.cache_read_tokens} of {result.usage.input_tokens} tokens came from the server's cache")


if __name__ == "__main__":
    main()
