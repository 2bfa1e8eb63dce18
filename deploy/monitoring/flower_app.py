"""The application that Flower is started with; it needs Flower and Celery alone, and looks into the queue of Tonalog's processes.

celery -A flower_app flower --enable_events=False
"""

import os

from celery import Celery

app = Celery("tonalog", broker=os.environ["TONALOG_BROKER_URL"], set_as_current=False)
app.conf.broker_transport_options = {"global_keyprefix": "tonalog:"}
