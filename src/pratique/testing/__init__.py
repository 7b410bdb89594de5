"""Fakes and simulators that users of the library may import in their own tests too."""
