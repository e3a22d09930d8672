"""Pictures in questions: as each API takes them, only where they are seen, and only those that are some."""

from typing import Any

import msgspec
import pytest

from services.failure import Failed
from services.models.messages import TOKENS_PER_IMAGE, Image, Request, UserMessage, about_request_tokens
from services.models.offline.provider import OfflineProvider
from services.models.presets import PRESETS, provider_of
from tests.models.aimock import Aimock
from tests.models.conversations import asking
from tests.models.images import ELSEWHERE, PIXEL
from tests.models.peer import Reply, peer_with
from tests.models.spoken import Spoken, whole

DATA = f"data:image/png;base64,{PIXEL.data}"
PARTS = {
    "openai": [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": DATA, "detail": "auto"},
        {"type": "input_image", "image_url": ELSEWHERE.url, "detail": "auto"},
    ],
    "gemini": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": DATA}},
        {"type": "image_url", "image_url": {"url": ELSEWHERE.url}},
    ],
    "anthropic": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL.data}},
        {"type": "image", "source": {"type": "url", "url": ELSEWHERE.url}},
        {"type": "text", "text": "What is this?"},
    ],
}


@pytest.mark.parametrize("preset", sorted(PARTS))
async def test_pictures_go_out_as_the_api_takes_them(preset: str) -> None:
    api = PRESETS[preset].api
    with peer_with(Reply(body=whole(api, Spoken("A pixel.")))) as peer:
        provider = provider_of(preset, api_key="k", base_url=peer.url)

        answer = await provider.complete(asking("What is this?", images=(PIXEL, ELSEWHERE)))
        await provider.close()

    told = peer.asked[0].body["input" if api == "responses" else "messages"]
    assert (told[-1]["content"], answer.text) == (PARTS[preset], "A pixel.")


@pytest.mark.parametrize("preset", sorted(name for name, preset in PRESETS.items() if preset.capabilities.vision))
async def test_who_sees_answers(preset: str, aimock: Aimock) -> None:
    aimock.teach({"content": "A pixel."}, match={"userMessage": "What is this?"})
    url = aimock.url if preset == "anthropic" else aimock.openai_url
    provider = provider_of(preset, api_key="k", base_url=url)

    assert (await provider.complete(asking("What is this?", images=(PIXEL,)))).text == "A pixel."
    await provider.close()


async def test_who_sees_nothing_says_so_also_offline() -> None:
    with pytest.raises(Failed) as caught:
        await OfflineProvider().complete(asking(images=(PIXEL,)))

    assert "sees no images; choose a model with the capability 'vision'" in caught.value.failure.message


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"data": PIXEL.data},
        {"data": PIXEL.data, "mediaType": "text/html"},
        {"data": "no base64!", "mediaType": "image/png"},
        {"data": PIXEL.data, "mediaType": "image/png", "url": ELSEWHERE.url},
        {"url": "file:///etc/passwd"},
        {"url": DATA},
        {"url": "//example.com/cat.jpg"},
    ],
)
def test_what_is_no_picture_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(told, Image)


def test_a_question_with_pictures_survives_the_journal() -> None:
    asked = UserMessage("What is this?", (PIXEL, ELSEWHERE))

    assert msgspec.json.decode(msgspec.json.encode(asked), type=UserMessage) == asked
    assert msgspec.to_builtins(UserMessage("Hi")) == {"role": "user", "text": "Hi"}, "as it was before there were any"


def test_a_picture_counts_as_a_picture_however_long_its_data_is() -> None:
    large = Image(media_type="image/png", data="aGlo" * 250_000)
    plain, seen = (
        about_request_tokens(Request(model="", system="", messages=(UserMessage("Hi", images),)))
        for images in ((), (large,))
    )

    assert seen == plain + TOKENS_PER_IMAGE
