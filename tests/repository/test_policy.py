"""Version policies."""

import pytest

from numbatch.repository.policy import All, Latest, Specific, VersionPolicy, parse_policy
from numbatch.wire.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("policy", "versions", "failed", "chosen"),
    [
        (Latest(1), {1, 2, 10}, {}, {10}),
        (Latest(2), {1, 2, 10}, {}, {10, 2}),
        (Latest(5), {1, 2}, {}, {1, 2}),
        (Latest(1), {1, 2, 10}, {10}, {2}),  # one that fails gives its place to an older one
        (Latest(1), {1, 2}, {1, 2}, set()),
        (Latest(1), {}, {}, set()),
        (All(), {1, 2, 10}, {2}, {1, 10}),
        (Specific((1, 7)), {1, 2}, {}, {1}),  # one that is not there does no harm
        (Specific((1, 2)), {1, 2, 3}, {2}, {1}),  # and none takes the place of one that fails
    ],
)
def test_a_policy_chooses(policy: VersionPolicy, versions: set[int], failed: set[int], chosen: set[int]) -> None:
    assert policy.choose(versions, failed) == chosen


@pytest.mark.parametrize("text", ["latest:1", "latest:20", "all", "specific:3", "specific:3,1"])
def test_a_policy_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_policy(text)) == text


@pytest.mark.parametrize("text", ["", "latest", "latest:0", "latest:-1", "newest", "all:1", "specific:", "specific:1,"])
def test_what_is_no_policy_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(
        InvalidArgumentError, match="expected latest:N with N from 1 on, all, or specific:N,N"
    ) as refused:
        parse_policy(text)
    assert (refused.value.field, refused.value.got) == ("version_policy", repr(text))
