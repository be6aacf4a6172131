DATETIME_FORMAT = "Y-m-d H:i:s e"  # in the admin as in the log: to the second, with the zone
