import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.CreateModel("Account", [
        ("password", models.CharField(max_length=128)),
        ("last_login", models.DateTimeField(null=True)),
        ("is_superuser", models.BooleanField(default=False)),
        ("id", models.UUIDField(default=uuid.uuid4, primary_key=True)),
        ("email", models.EmailField(unique=True)),
        ("is_active", models.BooleanField(default=True)),
        ("city", models.CharField(max_length=20)),
        ("groups", models.ManyToManyField("auth.group")),
        ("user_permissions", models.ManyToManyField("auth.permission")),
    ], {"db_table": "people"})]
