import java.math.BigDecimal;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import java.util.HexFormat;
import java.util.TimeZone;

/** Every setter of PreparedStatement that tools use, by its name: `setInt=5`, `setNull=INTEGER`, `setDate=2020-02-29 Asia/Tokyo`. */
final class Binds {
  private Binds() {}

  /** Binds `binds` from position 1 on. */
  static void bindAll(PreparedStatement s, String[] binds) throws SQLException {
    for (int i = 0; i < binds.length; i++) bind(s, i + 1, binds[i]);
  }

  private static void bind(PreparedStatement s, int at, String bind) throws SQLException {
    int equals = bind.indexOf('=');
    String setter = bind.substring(0, equals);
    String value = bind.substring(equals + 1);
    switch (setter) {
      case "setBoolean": s.setBoolean(at, Boolean.parseBoolean(value)); break;
      case "setByte": s.setByte(at, Byte.parseByte(value)); break;
      case "setShort": s.setShort(at, Short.parseShort(value)); break;
      case "setInt": s.setInt(at, Integer.parseInt(value)); break;
      case "setLong": s.setLong(at, Long.parseLong(value)); break;
      case "setFloat": s.setFloat(at, Float.parseFloat(value)); break;
      case "setDouble": s.setDouble(at, Double.parseDouble(value)); break;
      case "setBigDecimal": s.setBigDecimal(at, new BigDecimal(value)); break;
      case "setString": s.setString(at, value); break;
      case "setBytes": s.setBytes(at, HexFormat.of().parseHex(value)); break;
      case "setNull": s.setNull(at, java.sql.JDBCType.valueOf(value).getVendorTypeNumber()); break;
      case "setDate", "setTime", "setTimestamp": bindTemporal(s, at, setter, value); break;
      case "setObjectInteger": s.setObject(at, Integer.valueOf(value)); break;
      case "setObjectLong": s.setObject(at, Long.valueOf(value)); break;
      case "setObjectDouble": s.setObject(at, Double.valueOf(value)); break;
      case "setObjectString": s.setObject(at, value); break;
      case "setObjectBoolean": s.setObject(at, Boolean.valueOf(value)); break;
      case "setObjectBigDecimal": s.setObject(at, new BigDecimal(value)); break;
      case "setObjectDate": s.setObject(at, Date.valueOf(value)); break;
      case "setObjectTimestamp": s.setObject(at, Timestamp.valueOf(value)); break;
      case "setObjectOfType": s.setObject(at, Integer.valueOf(value), java.sql.Types.INTEGER); break;
      default: throw new IllegalArgumentException("unknown setter " + setter);
    }
  }

  /** A value with a zone after its last blank goes through a Calendar of that zone. */
  private static void bindTemporal(PreparedStatement s, int at, String setter, String text) throws SQLException {
    int blank = text.lastIndexOf(' ');
    boolean zoned = text.indexOf('/') > 0;
    String value = zoned ? text.substring(0, blank) : text;
    Calendar calendar = zoned ? Calendar.getInstance(TimeZone.getTimeZone(text.substring(blank + 1))) : null;
    if (setter.equals("setDate")) {
      if (zoned) s.setDate(at, Date.valueOf(value), calendar);
      else s.setDate(at, Date.valueOf(value));
    } else if (setter.equals("setTime")) {
      if (zoned) s.setTime(at, Time.valueOf(value), calendar);
      else s.setTime(at, Time.valueOf(value));
    } else if (zoned) s.setTimestamp(at, Timestamp.valueOf(value), calendar);
    else s.setTimestamp(at, Timestamp.valueOf(value));
  }
}
