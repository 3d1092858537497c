"""Wrong settings, told in one line."""

from pydantic import ValidationError


def explain(invalid: ValidationError) -> str:
    """Return what is wrong with the settings, without the values, which may be secret."""
    wrong = invalid.errors(include_url=False, include_input=False, include_context=False)
    return "a setting is wrong: " + "; ".join(
        f"{'.'.join(map(str, error['loc'])) or invalid.title}: {error['msg'].removeprefix('Value error, ')}"
        for error in wrong
    )
