"""Pictures the tests of this folder share."""

from services.models.messages import Image

# One transparent pixel.
PIXEL = Image(
    media_type="image/png",
    data=("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
)
ELSEWHERE = Image(url="https://example.com/cat.jpg")
