"""Files for spreadsheets, data frames, clinics and the person they are about, written from one moment of the database."""
