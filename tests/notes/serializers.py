from rest_framework import serializers

from api.serializers import StrictBooleanField, StrictCharField

from .models import Note, own_notes


class NoteSerializer(serializers.ModelSerializer[Note]):
    class Meta:
        model = Note
        fields = own_notes.fields


class NoteBodySerializer(serializers.Serializer[Note]):
    text = StrictCharField(max_length=500)
    pinned = StrictBooleanField(default=False)
