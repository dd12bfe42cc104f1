"""`python -m orchestrator`, and the entry point of `orchestrator`."""

from orchestrator.guard.signals import end_quietly


def main() -> None:
    """Signals first: what follows takes a while to import."""
    end_quietly()
    from orchestrator.cli import main as run

    run()


if __name__ == "__main__":
    main()
