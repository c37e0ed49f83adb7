import java.lang.reflect.InvocationTargetException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The calls that DBeaver and Tableau make when a person opens a connection and its tree. An empty argument is null. */
final class Metadata {
  private Metadata() {}

  /** `f`: "metadata", the call's name, its arguments. */
  static Object answer(DatabaseMetaData m, String[] f) throws SQLException {
    if (f[1].equals("facts")) return facts(m);
    return Lines.result(call(m, f));
  }

  private static ResultSet call(DatabaseMetaData m, String[] f) throws SQLException {
    switch (f[1]) {
      case "catalogs": return m.getCatalogs();
      case "schemas": return m.getSchemas();
      case "schemasLike": return m.getSchemas(null, f[2]);
      case "tableTypes": return m.getTableTypes();
      case "tables": return m.getTables(null, optional(f[2]), f[3], null);
      case "tablesOfCatalog": return m.getTables(f[2], null, "%", null);
      case "tablesOfType": return m.getTables(null, null, "%", f[2].split(","));
      case "columns": return m.getColumns(null, optional(f[2]), f[3], f.length > 4 ? f[4] : "%");
      case "primaryKeys": return m.getPrimaryKeys(null, f[2], f[3]);
      case "importedKeys": return m.getImportedKeys(null, f[2], f[3]);
      case "exportedKeys": return m.getExportedKeys(null, f[2], f[3]);
      case "crossReference": return m.getCrossReference(null, f[2], f[3], null, f[4], f[5]);
      case "indexInfo": return m.getIndexInfo(null, f[2], f[3], false, true);
      case "typeInfo": return m.getTypeInfo();
      case "procedures": return m.getProcedures(null, null, "%");
      case "functions": return m.getFunctions(null, null, "%");
      case "columnPrivileges": return m.getColumnPrivileges(null, f[2], f[3], "%");
      case "tablePrivileges": return m.getTablePrivileges(null, f[2], f[3]);
      case "bestRowIdentifier": return m.getBestRowIdentifier(null, f[2], f[3], DatabaseMetaData.bestRowSession, true);
      case "clientInfoProperties": return m.getClientInfoProperties();
      default: throw new IllegalArgumentException("unknown metadata " + f[1]);
    }
  }

  /** Every getter that a tool may read at connect, those with a number for each number; one that throws is listed under "failed". */
  private static Object facts(DatabaseMetaData m) {
    var facts = new LinkedHashMap<String, Object>();
    var failed = new ArrayList<String>();
    for (var method : DatabaseMetaData.class.getMethods()) {
      Class<?> type = method.getReturnType();
      boolean plain = type == String.class || type == boolean.class || type == int.class || type == long.class;
      boolean byNumber = method.getParameterCount() == 0 || method.getName().startsWith("supports") && Arrays.stream(method.getParameterTypes()).allMatch(int.class::equals);
      if (!plain || !byNumber || method.isDefault()) continue;
      try {
        if (method.getParameterCount() == 0) facts.put(method.getName(), method.invoke(m));
        else for (int level : levels(method.getName())) facts.put(method.getName() + level, method.invoke(m, arguments(method.getParameterCount(), level)));
      } catch (InvocationTargetException error) {
        failed.add(method.getName() + ": " + error.getCause());
      } catch (IllegalAccessException error) {
        throw new IllegalStateException(error);
      }
    }
    facts.put("failed", failed);
    return facts;
  }

  private static int[] levels(String method) {
    if (method.equals("supportsTransactionIsolationLevel"))
      return new int[] {Connection.TRANSACTION_NONE, Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_SERIALIZABLE};
    if (method.equals("supportsConvert")) return new int[] {java.sql.Types.INTEGER, java.sql.Types.VARCHAR, java.sql.Types.DATE};
    // The driver has no answer of its own for holdability.
    return method.equals("supportsResultSetHoldability") ? new int[0] : new int[] {ResultSet.TYPE_FORWARD_ONLY};
  }

  private static Object[] arguments(int count, int level) {
    return count == 1 ? new Object[] {level} : new Object[] {level, ResultSet.CONCUR_READ_ONLY};
  }

  /** What ResultSetMetaData says of each column. */
  static List<Map<String, Object>> columns(ResultSetMetaData m) throws SQLException {
    var columns = new ArrayList<Map<String, Object>>();
    for (int i = 1; i <= m.getColumnCount(); i++) {
      var column = new LinkedHashMap<String, Object>();
      column.put("label", m.getColumnLabel(i));
      column.put("name", m.getColumnName(i));
      column.put("typeName", m.getColumnTypeName(i));
      column.put("className", m.getColumnClassName(i));
      column.put("precision", m.getPrecision(i));
      column.put("scale", m.getScale(i));
      column.put("nullable", m.isNullable(i));
      column.put("signed", m.isSigned(i));
      column.put("table", m.getTableName(i));
      column.put("schema", m.getSchemaName(i));
      column.put("catalog", m.getCatalogName(i));
      column.put("autoIncrement", m.isAutoIncrement(i));
      column.put("caseSensitive", m.isCaseSensitive(i));
      column.put("searchable", m.isSearchable(i));
      column.put("readOnly", m.isReadOnly(i));
      columns.add(column);
    }
    return columns;
  }

  private static String optional(String value) {
    return value.isEmpty() ? null : value;
  }
}
