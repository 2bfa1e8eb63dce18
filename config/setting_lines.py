"""List every setting with its value, as `tonalog settings` shows them; secrets are masked."""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings


@dataclass(frozen=True)
class SettingLine:
    """One row of `tonalog settings`."""

    variable: str
    value: str
    is_default: bool
    description: str


def describe(settings: Settings) -> list[SettingLine]:
    """List every setting with its value, secrets masked.

    >>> describe(Settings(broker_url="redis://:hunter2@example/0"))[2].value
    '**********'
    """
    lines = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        lines.append(
            SettingLine(
                variable=f"TONALOG_{name.upper()}",
                value="" if value is None else str(value),
                is_default=value == default,
                description=field.description or "",
            )
        )
    return lines
