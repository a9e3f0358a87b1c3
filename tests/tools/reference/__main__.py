"""Write the reference pages and tables."""

from __future__ import annotations

from pathlib import Path

from tools.reference.pages import generated_pages

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    """Write each page that has changed, and name it."""
    for name, text in generated_pages(ROOT):
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
