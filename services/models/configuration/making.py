"""Providers, made as their recipes say."""

from services.models.anthropic import ANTHROPIC_URL, AnthropicProvider
from services.models.configuration.recipes import Preset, Recipe
from services.models.openai import OPENAI_URL, OpenAIProvider
from services.models.provider import Provider, Variables

PRESETS = {
    "openai": Preset(base_url=OPENAI_URL, key_variable="OPENAI_API_KEY", capabilities=("tools", "json", "vision")),
    "anthropic": Preset(
        base_url=ANTHROPIC_URL, key_variable="ANTHROPIC_API_KEY", capabilities=("tools", "json", "vision")
    ),
    "ollama": Preset(base_url="http://127.0.0.1:11434/v1", key_variable=None, capabilities=("tools", "json")),
    "compatible": Preset(base_url=None, key_variable=None, capabilities=("tools", "json")),
}


def made(recipe: Recipe) -> Provider:
    """The provider of `recipe`; nothing is asked of it so far."""
    key = recipe.key.reveal()
    if recipe.preset == "anthropic":
        return AnthropicProvider(api_key=key, base_url=recipe.base_url)
    variables = Variables(key=recipe.key_name, url=f"the baseUrl of provider {recipe.name!r}", model="the model's name")
    return OpenAIProvider(api_key=key, base_url=recipe.base_url, name=recipe.name, variables=variables)
