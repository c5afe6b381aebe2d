"""What all sections of the configuration are, and the types of their values."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Similarity = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
View = Literal["copies", "model"]  # what rows are seen by: folder/views.py
Name = Annotated[str, Field(min_length=1)]
T = TypeVar("T")
Choices = Annotated[list[T], Field(min_length=1)] | None


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
