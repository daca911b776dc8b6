"""What a reading of a content-block stream keeps."""

from conformance.block_streams import Reading


def test_an_item_that_changes_is_told() -> None:
    """The first item that is no longer what it was is named by its number, from 1."""
    reading, item = Reading("events"), {"text": ""}
    reading.add({"text": "a"})
    reading.add(item)
    assert reading.changed is None
    item["text"] = "b"
    assert reading.changed == 2
